"""Token reduction inside speech language models: FastAdaSP, its rivals, and what they cost.

Names are loaded on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastadasp.hooks import MergeTrace, merging
    from fastadasp.merge.assignment import Assignment
    from fastadasp.merge.average import Average
    from fastadasp.merge.base import MergeMethod, Positions, Schedule
    from fastadasp.merge.fastadasp import FastAdaSP
    from fastadasp.merge.none import NoReduction
    from fastadasp.merge.random import RandomEvict, RandomMerge
    from fastadasp.merge.state import LayerState

_MODULES = {
    "Assignment": "merge.assignment",
    "Average": "merge.average",
    "FastAdaSP": "merge.fastadasp",
    "LayerState": "merge.state",
    "MergeMethod": "merge.base",
    "MergeTrace": "hooks",
    "NoReduction": "merge.none",
    "Positions": "merge.base",
    "RandomEvict": "merge.random",
    "RandomMerge": "merge.random",
    "Schedule": "merge.base",
    "merging": "hooks",
}

__all__ = [
    "Assignment",
    "Average",
    "FastAdaSP",
    "LayerState",
    "MergeMethod",
    "MergeTrace",
    "NoReduction",
    "Positions",
    "RandomEvict",
    "RandomMerge",
    "Schedule",
    "merging",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
