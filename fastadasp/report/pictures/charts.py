"""Pictures as data: what is drawn, before it is known where."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastadasp.report.pictures.style import Look


@dataclass(frozen=True)
class Line:
    """Points of one method, joined by a line where there are several."""

    name: str
    family: str
    look: Look
    x: Sequence[float]
    y: Sequence[float]
    told: Sequence[str]
    """What is told of each point beside its place."""
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    """Bounds of the intervals; empty without."""
    chosen: bool = False
    """Drawn strongly, with its band, and labelled at its end; all others are muted."""
    crossed: Sequence[bool] = ()
    """Points that are marked with a black cross: runs that missed their amount."""


@dataclass(frozen=True)
class Chart:
    """Lines in a plane."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    level: tuple[str, float] | None = None
    """A horizontal line, such as full tokens, with its name."""
    front: tuple[Sequence[float], Sequence[float]] = ((), ())
    """Points of the Pareto front."""
    logarithmic: bool = False
    """Of the vertical axis."""
    joined: bool = True
    note: str = ""
    """A sentence below the picture."""

    @property
    def heights(self) -> list[float]:
        """What the vertical axis must show: all points, the level, and the bands of the chosen lines.

        On a logarithmic axis, bands are shown down to a third of the lowest point: the interval of a small error rate
        reaches down to nearly none, which would take half of the picture.
        """
        points = [y for line in self.lines for y in line.y] + ([] if self.level is None else [self.level[1]])
        bounds = [y for line in self.lines if line.chosen for y in (*line.low, *line.high)]
        if self.logarithmic and points:
            bounds = [max(y, min(points) / 3) for y in bounds]
        return points + bounds

    @property
    def labelled(self) -> list[Line]:
        """The chosen lines that have a point."""
        return [line for line in self.lines if line.chosen and line.x]


@dataclass(frozen=True)
class HeatMap:
    """Values on a grid."""

    title: str
    x_label: str
    y_label: str
    x: Sequence[str]
    y: Sequence[str]
    z: Sequence[Sequence[float | None]]
    """By row of `y`, then by column of `x`; None where nothing is known."""
    z_label: str
    higher_is_better: bool = True
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """Lying bars made of parts."""

    title: str
    x_label: str
    names: Sequence[str]
    parts: Sequence[tuple[str, Sequence[float]]] = field(default_factory=tuple)
    """Name of a part, and its length in each bar."""
    note: str = ""


def spread(places: Sequence[float], gap: float, lowest: float, highest: float) -> list[float]:
    """Places for labels, at least `gap` apart, as near to the wanted ones as that allows, in the same order.

    Neighbours that are too close are pushed apart around their middle. Where there is no room for all between the
    bounds, the gaps shrink.
    """
    if not places:
        return []
    gap = min(gap, (highest - lowest) / max(len(places) - 1, 1))
    order = sorted(range(len(places)), key=lambda i: places[i])
    groups: list[tuple[list[int], float]] = []  # members, middle
    for one in order:
        members, middle = [one], places[one]
        while True:
            half = gap * (len(members) - 1) / 2
            middle = min(max(middle, lowest + half), highest - half)
            if not groups:
                break
            before, other = groups[-1]
            if other + gap * (len(before) - 1) / 2 + gap <= middle - half + 1e-12:
                break
            groups.pop()
            members = [*before, *members]
            middle = sum(places[i] for i in members) / len(members)
        groups.append((members, middle))
    found = [0.0] * len(places)
    for members, middle in groups:
        for place, one in enumerate(members):
            found[one] = middle + gap * (place - (len(members) - 1) / 2)
    return found
