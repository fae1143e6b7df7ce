"""The benchmark's tables on the terminal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from fastadasp.benchmark.capacity import MOST_ROWS, MOST_SECONDS
from fastadasp.benchmark.memory import CLAIMED

_STYLE: Mapping[str, Any] = {"box": None, "padding": (0, 1, 0, 0), "pad_edge": False, "title_justify": "left"}
_Row = Mapping[str, Any]
_Columns = Mapping[str, Callable[[_Row], str]]
"""Heads of columns, and what stands below them; empty where a row has nothing to say."""


def _optional(key: str, form: str, per: float = 1) -> Callable[[_Row], str]:
    """Formats `row[key] / per`; empty where that is missing, null or 0."""
    return lambda row: format(row[key] / per, form) if row.get(key) else ""


_SUBJECTS: Mapping[str, _Columns] = {
    "prefill": {
        "FLOPs saved": lambda row: f"{row['flops_saved']:.1%}",
        "paper's": lambda row: f"{row['flops_paper_saved']:.1%}",
        "s": lambda row: f"{row['prefill_s']:.3f}",
        "x full": lambda row: f"{row.get('prefill_over_full', 1):.2f}",
        "by FLOPs": lambda row: f"{row['prefill_predicted']:.2f}",
        "x released": _optional("prefill_over_released", ".2f"),
        "merge": _optional("merge_share", ".1%"),
        "MFU": lambda row: f"{row['prefill_mfu']:.0%}",
    },
    "answer": {
        "TTFT s": lambda row: f"{row['ttft_s']:.3f}",
        "RTF": lambda row: f"{row['rtf']:.4f}",
        "decode s": _optional("decode_s", ".2f"),
        "tokens/s": _optional("tokens_per_s", ".2f"),
        "x full": _optional("decode_over_full", ".2f"),
        "x released": _optional("decode_over_released", ".2f"),
        "MBU": _optional("decode_mbu", ".0%"),
        "J": _optional("energy_j", ".0f"),
    },
    "memory": {
        "KV MiB": lambda row: f"{row['cache_bytes'] / 2**20:.1f}",
        "measured": _optional("cache_bytes_measured", ".1f", per=2**20),
        "peak MiB": _optional("peak_bytes", ".0f", per=2**20),
    },
}
"""A table for each, narrow enough for a terminal of 80 columns."""


def show(console: Console, shape: str, results: Mapping[str, Any]) -> None:
    """All tables of one shape."""
    for name, cases in results["sweeps"].items():
        for entry in cases:
            case = entry["case"]
            title = (
                f"{shape} · {name} · {case['seconds']:g} s of audio · {case['beams']} beams · "
                f"batch {case['batch_size']} · {case['new_tokens']} new tokens"
            )
            console.print(title, style="bold", highlight=False)
            ran = [row for row in entry["rows"] if "error" not in row]
            for subject in _SUBJECTS if ran else ():
                console.print(_table(subject, ran))
            for row in entry["rows"]:
                if "error" in row:
                    console.print(f"{row['path']}, {row['tokens']}: {row['error']}")
    _layers(console, shape, results["layers"])
    _column_sums(console, shape, results["column_sums"])
    _capacity(console, shape, results["capacity"])
    console.print(_memory(shape, results["memory"]))


def _memory(shape: str, rows: list[dict[str, Any]]) -> Table:
    title = f"{shape} · times by which the cache of {rows[0]['seconds']:g} s of audio shrinks, by share removed"
    table = Table(title=title, **_STYLE)
    ratios = list(rows[0]["factors"])
    for column in ("schedule", "earlier caches", *(f"{float(ratio):.0%}" for ratio in ratios), f"{CLAIMED:g}x needs"):
        table.add_column(column)
    for row in rows:
        needed = row["ratio_for_claim"]
        table.add_row(
            row["schedule"],
            "reduced too" if row["earlier_caches"] else "whole",
            *(f"{row['factors'][ratio]:.2f}" for ratio in ratios),
            "out of reach" if needed is None else f"{needed:.1%}",
        )
    return table


def _table(subject: str, rows: Sequence[_Row]) -> Table:
    """One subject of a case; columns that no row fills are left out."""
    columns = _SUBJECTS[subject]
    used = [name for name, cell in columns.items() if any(cell(row) for row in rows)]
    table = Table(title=subject, **_STYLE)
    for name in ("path", "audio tokens"):
        table.add_column(name, no_wrap=True)
    for name in used:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row["path"], row["tokens"], *(columns[name](row) for name in used))
    return table


def _layers(console: Console, shape: str, layers: Mapping[str, Any]) -> None:
    for tokens, layer in layers.items():
        if tokens != "seconds" and layer.get("merge_s"):
            merge_s, prefill_s = layer["merge_s"], layer["prefill_s"]
            console.print(
                f"{shape}, {layers['seconds']:g} s, {tokens}: {merge_s * 1e3:.1f} ms of {prefill_s * 1e3:.0f} ms "
                f"prefill go into the merge ({merge_s / prefill_s:.1%})"
            )


def _column_sums(console: Console, shape: str, found: Mapping[str, Any]) -> None:
    if "error" in found:
        console.print(f"{shape}, {found['seconds']:g} s, column sums: {found['error']}")
        return
    for name, way in (("told", "with the log-sum-exp of the layer's attention"), ("untold", "without")):
        if found[f"{name}_s"] is not None:
            console.print(
                f"{shape}, {found['seconds']:g} s, column sums {way}: {found[f'{name}_s'] * 1e3:.2f} ms, "
                f"{found[f'{name}_s'] / found['attention_s']:.0%} of a pass of attention, relative error "
                f"{found[f'{name}_error']:.1e}"
            )


def _capacity(console: Console, shape: str, capacity: Mapping[str, Any]) -> None:
    for beams, by_contender in capacity.get("by_beams", {}).items():
        table = Table(title=f"{shape} · what fits, beams: {beams}", **_STYLE)
        for column in ("", f"rows of {capacity['seconds']:g} s", "seconds of one row"):
            table.add_column(column)
        for name, most in by_contender.items():
            table.add_row(name, _most(most["rows"], MOST_ROWS), _most(most["seconds"], MOST_SECONDS))
        console.print(table)


def _most(found: int, searched: int) -> str:
    return f"{found} or more" if found >= searched else str(found)
