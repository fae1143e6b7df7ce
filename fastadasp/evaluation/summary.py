"""The table that ends a run."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from fastadasp.evaluation.spent import described
from fastadasp.reduction.amount import KINDS, amount


def show(metrics: Mapping[str, Any], cost: Mapping[str, float], folder: str) -> None:
    """Print quality, reduction, FLOPs and latency of one run."""
    table = Table(title=f"{metrics['task']} · {metrics['model']} · {metrics['merge']}", show_header=False)
    for name, value in _rows(metrics, cost):
        table.add_row(name, value)
    console = Console(markup=False, emoji=False)
    console.print(table)
    console.print(f"Results: {folder}", soft_wrap=True, highlight=False)


def _rows(metrics: Mapping[str, Any], cost: Mapping[str, float]) -> list[tuple[str, str]]:
    bounds = metrics.get("intervals", {})
    rows = [(name, _number(value) + _bounds(bounds.get(name))) for name, value in metrics["quality"].items()]
    if prompts := metrics.get("prompts"):
        told = f"{prompts['mean']:.4f} ± {prompts['standard_deviation']:.4f}"
        told += f" ({prompts['lowest']:.4f} to {prompts['highest']:.4f})"
        rows.insert(1, (f"over {len(prompts['scores'])} prompts", told))
    failed = f", {metrics['failed']} failed (counted wrong)" if metrics["failed"] else ""
    rows.append(("examples", f"{metrics['examples']}{failed}"))
    asked, exact = metrics["reduction"], metrics["cost"]
    if asked["measured"] is None:
        return [*rows, *_served(exact, cost)]
    rows.append(("audio tokens removed", f"{asked['measured']:.1%} (asked {_requested(asked)})"))
    if exact:
        paper = f"{exact['flops_paper_saved']:.1%} by the paper's formula"
        rows.append(("prefill FLOPs saved", f"{exact['flops_prefill_saved']:.1%} ({paper})"))
        rows.append(("KV cache saved", f"{exact['kv_bytes_saved']:.1%}"))
    if cost:
        merge = f", {cost['merge_share']:.1%} of it in the merge" if cost.get("merge_share") else ""
        rows.append(("prefill", f"{cost['prefill_s'] * 1e3:.1f} ms per batch of {cost['batch_size']:.3g}{merge}"))
        if "ttft_s" in cost:
            rows.append(("time to first token", f"{cost['ttft_s'] * 1e3:.1f} ms"))
        rows.append(("decoding", f"{cost['decode_step_s'] * 1e3:.1f} ms per step, {cost['tokens_per_s']:.1f} tokens/s"))
        rows.append(("real-time factor", f"{cost['rtf']:.4f}"))
        if parts := described(cost):
            rows.append(("time spent", parts))
        for name, label in (
            ("prefill_mfu", "prefill, share of peak FLOP/s"),
            ("decode_mbu", "decoding, share of bandwidth"),
        ):
            if name in cost:
                rows.append((label, f"{cost[name]:.1%}"))
        if cost["peak_bytes"]:
            more = cost.get("peak_bytes_above_weights")
            above = "" if more is None else f", {more / 2**30:.2f} above the weights"
            rows.append(("peak memory", f"{cost['peak_bytes'] / 2**30:.2f} GiB{above}"))
        if "energy_j" in cost:
            rows.append(("energy", f"{cost['energy_j']:.0f} J of the whole GPU"))
    return rows


def _served(exact: Mapping[str, float], cost: Mapping[str, float]) -> list[tuple[str, str]]:
    """Rows of a run whose model is behind a server."""
    rows = [("audio tokens removed", "not known: the server's matter")]
    if "prompt_tokens" in exact:
        audio = f", {exact['audio_tokens']:.1f} of them audio" if "audio_tokens" in exact else ""
        rows.append(("prompt tokens", f"{exact['prompt_tokens']:.1f}{audio}"))
    if "new_tokens" in exact:
        rows.append(("tokens of an answer", f"{exact['new_tokens']:.1f}"))
    for name, label in (("ttft", "time to first token"), ("latency", "latency of a request")):
        if f"{name}_s" in cost:
            slow = f"{cost[f'{name}_p95_s'] * 1e3:.1f} ms for 95 % of them"
            rows.append((label, f"{cost[f'{name}_s'] * 1e3:.1f} ms, at most {slow}"))
    if cost:
        rows.append(("throughput", f"{cost['examples_per_s']:.2f} requests/s, {cost['tokens_per_s']:.1f} tokens/s"))
        rows.append(("real-time factor", f"{cost['rtf']:.4f}"))
        rows.append(("attempts", f"{cost['attempts']:.0f} for {cost['requests']:.0f} answers"))
    return rows


def _requested(asked: Mapping[str, Any]) -> str:
    given = amount({**asked, "ratio": None if _has_target(asked) else asked["ratio"]})
    return f"{asked['ratio']:.1%}" if given is None else given.described(asked["ratio"])


def _has_target(asked: Mapping[str, Any]) -> bool:
    """Whether the ratio was solved: then it stands beside the target that it meets."""
    return any(asked[kind] is not None for kind in KINDS if kind != "ratio")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _bounds(interval: Mapping[str, float] | None) -> str:
    return "" if interval is None else f" [{interval['low']:.4f}, {interval['high']:.4f}]"
