"""The numbers of a run by flat names: what loggers get, and what sweeps search by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastadasp.errors import ConfigError

AT_BUDGET = "at_budget"


@dataclass(frozen=True)
class Logged:
    """What loggers get beside the scores. Nothing here changes an answer, so it is no part of a run's fingerprint."""

    flops_budget: float | None = None
    """Share of the prefill's FLOPs that a run should save, by the papers' formula as in `merge.flops_reduction`; the
    number `at_budget` is then logged and can be searched by. None: no such number."""
    clips: int = 16
    """Predictions in the table that W&B gets, each with its audio."""
    maps: int = 2
    """How many of these clips get a merge map. Drawn where the run itself answers, not where it is only read."""

    def __post_init__(self) -> None:
        if self.flops_budget is not None and not 0 < self.flops_budget < 1:
            raise ConfigError(f"flops_budget must lie between 0 and 1, got {self.flops_budget}")
        for name in ("clips", "maps"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be 0 or more, got {getattr(self, name)}")


def numbers(
    metrics: Mapping[str, Any], cost: Mapping[str, float], higher_is_better: bool, budget: float | None = None
) -> dict[str, float]:
    """All numbers of `metrics.json` and `cost.json` by flat names.

    Beside the names of these files: `score`, the task's objective, by the same name for all tasks; `removed`,
    the share of audio tokens really removed; `flops_saved` and `kv_saved`, shares of the prefill's FLOPs (papers'
    formula) and of the cache; `examples`, `failed`, `truncated`; with a budget, `at_budget`.
    """
    exact = metrics["cost"]
    score = float(metrics["quality"][metrics["objective"]])
    found = {
        **cost,
        **exact,
        **metrics["quality"],
        "score": score,
        "removed": metrics["reduction"]["measured"],
        **{name: metrics[name] for name in ("examples", "failed", "truncated") if name in metrics},
        **{name: exact[key] for name, key in SAVED.items() if key in exact},
    }
    if budget is not None:
        found[AT_BUDGET] = at_budget(score, exact.get(SAVED["flops_saved"], 0.0), budget, higher_is_better)
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


SAVED = {"flops_saved": "flops_paper_saved", "kv_saved": "kv_bytes_saved"}


def at_budget(score: float, saved: float, budget: float, higher_is_better: bool) -> float:
    """The quality of a run that saves its share of FLOPs; of another one, a number worse than any quality.

    This is the feasibility rule of constrained search (Deb, Computer Methods in Applied Mechanics and Engineering 186,
    2000): of two runs within the budget the one with the better score is better, a run within the budget is better than
    one that is not, and of two that are not the one that misses it by less. Error rates count up to 1.

    >>> at_budget(0.8, saved=0.3, budget=0.3, higher_is_better=True)
    0.8
    >>> at_budget(0.9, saved=0.2, budget=0.3, higher_is_better=True) < 0
    True
    """
    missed = budget - saved
    if missed <= TOLERANCE:
        return score if higher_is_better else min(score, 1.0)
    return -missed if higher_is_better else 1.0 + missed


TOLERANCE = 0.005
"""A solved ratio meets its share of FLOPs within whole tokens; half of a percent point is no miss."""
