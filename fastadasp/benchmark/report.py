"""The benchmark's tables on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from fastadasp.benchmark.capacity import MOST_ROWS, MOST_SECONDS
from fastadasp.benchmark.memory import CLAIMED

_COLUMNS = (
    ("path", lambda row: row["path"]),
    ("audio tokens", lambda row: row["tokens"]),
    ("FLOPs saved (paper's)", lambda row: f"{row['flops_saved']:.1%} ({row['flops_paper_saved']:.1%})"),
    ("RTF", lambda row: f"{row['rtf']:.4f}"),
    ("prefill s", lambda row: f"{row['prefill_s']:.3f}"),
    ("x full (by FLOPs)", lambda row: f"{row.get('prefill_over_full', 1):.2f} ({row['prefill_predicted']:.2f})"),
    ("x released", lambda row: f"{row['prefill_over_released']:.2f}" if "prefill_over_released" in row else ""),
    ("merge", lambda row: f"{row['merge_share']:.1%}" if row["merge_share"] else ""),
    ("TTFT s", lambda row: f"{row['ttft_s']:.3f}"),
    ("MFU", lambda row: f"{row['prefill_mfu']:.0%}"),
    ("decode s", lambda row: f"{row['decode_s']:.2f}"),
    ("tokens/s", lambda row: f"{row['tokens_per_s']:.2f}"),
    ("x full", lambda row: f"{row['decode_over_full']:.2f}" if "decode_over_full" in row else ""),
    ("x released ", lambda row: f"{row['decode_over_released']:.2f}" if "decode_over_released" in row else ""),
    ("MBU", lambda row: f"{row['decode_mbu']:.0%}" if row["decode_s"] else ""),
    ("KV MiB", lambda row: f"{row['cache_bytes'] / 2**20:.0f}"),
    (
        "KV MiB measured",
        lambda row: f"{row['cache_bytes_measured'] / 2**20:.0f}" if row["cache_bytes_measured"] else "",
    ),
    ("peak MiB", lambda row: f"{row['peak_bytes'] / 2**20:.0f}" if row["peak_bytes"] else ""),
    ("J", lambda row: f"{row['energy_j']:.0f}" if row["energy_j"] else ""),
)


def show(console: Console, shape: str, results: Mapping[str, Any]) -> None:
    """All tables of one shape."""
    for name, cases in results["sweeps"].items():
        for entry in cases:
            case = entry["case"]
            title = (
                f"{shape} · {name} · {case['seconds']:g} s of audio · {case['beams']} beams · "
                f"batch {case['batch_size']} · {case['new_tokens']} new tokens"
            )
            console.print(_table(title, entry["rows"]))
    _layers(console, shape, results["layers"])
    _column_sums(console, shape, results["column_sums"])
    _capacity(console, shape, results["capacity"])
    console.print(_memory(shape, results["memory"]))


def _memory(shape: str, rows: list[dict[str, Any]]) -> Table:
    title = f"{shape} · how many times smaller the cache of a {rows[0]['seconds']:g} s prompt gets, by share removed"
    table = Table(title=title, title_justify="left")
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


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    """One case; columns that no row fills are left out."""
    table = Table(title=title, title_justify="left")
    cells = [
        [row["path"], row["tokens"], row["error"]] if "error" in row else [cell(row) for _, cell in _COLUMNS]
        for row in rows
    ]
    used = [index for index in range(len(_COLUMNS)) if any(index < len(row) and row[index] for row in cells)]
    for index in used:
        table.add_column(_COLUMNS[index][0], justify="left" if index < 2 else "right")
    for row in cells:
        table.add_row(*(row[index] for index in used if index < len(row)))
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
        table = Table(title=f"{shape} · what fits, beams: {beams}", title_justify="left")
        for column in ("", f"rows of {capacity['seconds']:g} s", "seconds of one row"):
            table.add_column(column)
        for name, most in by_contender.items():
            table.add_row(name, _most(most["rows"], MOST_ROWS), _most(most["seconds"], MOST_SECONDS))
        console.print(table)


def _most(found: int, searched: int) -> str:
    return f"{found} or more" if found >= searched else str(found)
