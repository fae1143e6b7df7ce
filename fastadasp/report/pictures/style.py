"""How methods are told apart: families by colour and dash, methods of a family by marker.

The colours are those of Okabe and Ito, which people with any kind of colour blindness tell apart; dashes and markers do
the same in grey.
"""

from collections.abc import Mapping
from dataclasses import dataclass

COLOURS = {
    "decoder": "#0072B2", "input": "#D55E00", "cache": "#009E73", "several": "#AA4499", "unknown": "#6E6E6E",
}  # fmt: skip
DASHES = {"decoder": "solid", "input": "dash", "cache": "dot", "several": "dashdot", "unknown": "longdash"}
"""By plotly's names."""
MARKERS = (
    *("circle", "square", "triangle-up", "diamond", "triangle-down", "star", "pentagon", "triangle-left"),
    *("triangle-right", "hexagon", "cross"),
)
"""By plotly's names. Where a family has more methods, these follow hollow; a method beyond those is told by its label
alone. A black cross marks runs that missed their amount."""
OTHER_HUES = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#B8860B", "#56B4E9", "#6E6E6E")
"""Of lines that belong to no family."""


@dataclass(frozen=True)
class Look:
    """How one line is drawn."""

    colour: str
    dash: str
    marker: str
    hollow: bool


def looks(families: Mapping[str, str]) -> dict[str, Look]:
    """By method, from the methods' families: all differ while a family has at most twice as many methods as MARKERS."""
    seen: dict[str, int] = {}
    found = {}
    for name, family in families.items():
        number = seen.get(family, 0)
        seen[family] = number + 1
        found[name] = Look(
            COLOURS[family], DASHES[family], MARKERS[number % len(MARKERS)], number // len(MARKERS) % 2 == 1
        )
    return found


def plain_looks(names: list[str]) -> dict[str, Look]:
    """Of lines that belong to no family."""
    dashes = list(DASHES.values())
    return {
        name: Look(OTHER_HUES[i % len(OTHER_HUES)], dashes[i % len(dashes)], MARKERS[i % len(MARKERS)], False)
        for i, name in enumerate(names)
    }
