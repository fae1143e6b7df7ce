"""Tables taken apart: methods that save FLOPs are ranked among themselves, and so are those that only free cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from statistics import median

from fastadasp.report.tables import Cell, Table

LEAST_SAVED = 0.005
"""A method that never saves as much of the prefill's FLOPs saves none."""
SHORTFALL = 0.1
"""Share of the amount asked for by which a run may fall short of it and still count as having reached it."""
UNLIKE = 0.5
"""A run that saves less than this share of what the runs of its column save (median) is not compared with them."""
CACHE_FAMILY = "cache"

Column = tuple[str, float]
"""An amount: key of the `merge` node and value."""


class Resource(Enum):
    """What methods of a block save."""

    flops = "FLOPs of the prefill saved"
    cache = "cache freed"


@dataclass(frozen=True)
class Block:
    """The rows of a table that save the same resource."""

    table: Table
    resource: Resource
    rows: Mapping[str, Sequence[Cell]]

    @cached_property
    def by_flops(self) -> bool:
        """Whether some run was asked for a share of FLOPs: then amounts of all others are read as such too."""
        asked = {cell.amount[0] for cells in self.rows.values() for cell in cells if cell.amount is not None}
        return "flops_reduction" in asked

    @cached_property
    def columns(self) -> list[Column]:
        """In rising order."""
        return sorted({self._column(cell) for cells in self.rows.values() for cell in cells})

    @property
    def apart(self) -> str:
        """What titles of pictures add where the methods only free cache."""
        return ", methods that free cache" if self.resource is Resource.cache else ""

    @cached_property
    def unit(self) -> str:
        """What the amounts reached are shares of, in words."""
        if self.resource is Resource.cache:
            return "the audio's cache freed"
        asked = {key for key, _ in self.columns}
        return "the audio tokens removed" if asked == {"ratio"} else "the prefill's FLOPs saved"

    def at(self, row: str, column: Column) -> Cell | None:
        """The run of a method at an amount; None where it did not run."""
        return next((cell for cell in self.rows[row] if self._column(cell) == column), None)

    def reached(self, cell: Cell) -> float:
        """The share that the run really saved, of what `unit` says."""
        if self.resource is Resource.cache or self.unit == "the audio tokens removed":
            return cell.audio_removed
        return cell.flops_saved

    def missed(self, cell: Cell) -> bool:
        """Whether a run saved clearly less than its column stands for. Such a run is shown and never best.

        It fell short of the amount asked for by more than SHORTFALL of that amount; or, where amounts are shares of
        tokens, it saves less than UNLIKE of the FLOPs that its column saves, since it removed tokens late.
        """
        key, value = self._column(cell)
        told = key in ("ratio", "flops_reduction") and value <= 1
        if told and self.reached(cell) < value * (1 - SHORTFALL):
            return True
        if self.resource is Resource.cache or key == "flops_reduction":
            return False
        column = [one.flops_saved for cells in self.rows.values() for one in cells if self._column(one) == (key, value)]
        return cell.flops_saved < UNLIKE * median(column)

    def best(self, column: Column) -> list[Cell]:
        """The runs with the best score of a column, among those that reached its amount."""
        cells = [cell for cells in self.rows.values() for cell in cells if self._column(cell) == column]
        cells = [cell for cell in cells if not self.missed(cell)]
        values = [cell.score.value for cell in cells]
        if not values:
            return []
        top = max(values) if self.table.higher_is_better else min(values)
        return [cell for cell in cells if cell.score.value == top]

    def front(self) -> list[Cell]:
        """The Pareto front, by rising saving: runs that no other beats both in what is saved and in score.

        Savings that round to the same percent count as equal: whole tokens do not meet a target exactly. Runs that
        missed their amount are no candidates: they are never best.
        """
        best: list[Cell] = []
        every = [cell for cells in self.rows.values() for cell in cells]
        choices = [cell for cell in every if self.spared(cell) >= LEAST_SAVED and not self.missed(cell)]
        sign = -1 if self.table.higher_is_better else 1
        for cell in sorted(choices, key=lambda cell: (-round(self.spared(cell), 2), sign * cell.score.value)):
            if not best or self.table.better(cell.score.value, best[-1].score.value):
                best.append(cell)
        return best[::-1]

    def spared(self, cell: Cell) -> float:
        """What pictures draw scores against: the share of FLOPs saved, or of the whole prompt's cache freed."""
        return cell.cache_freed if self.resource is Resource.cache else cell.flops_saved

    def _column(self, cell: Cell) -> Column:
        key, value = cell.amount or ("", 0.0)
        return ("flops_reduction", value) if self.by_flops and value <= 1 else (key, value)


def blocks(table: Table) -> list[Block]:
    """The table's rows by what they save. A block without rows is left out, unless the table has none at all."""
    freeing = {name for name, cells in table.rows.items() if _only_frees(cells, table.families.get(name))}
    parts = (
        Block(table, Resource.flops, {name: cells for name, cells in table.rows.items() if name not in freeing}),
        Block(table, Resource.cache, {name: cells for name, cells in table.rows.items() if name in freeing}),
    )
    return [part for part in parts if part.rows] or [parts[0]]


def _only_frees(cells: Sequence[Cell], family: str | None) -> bool:
    if any(cell.flops_saved >= LEAST_SAVED for cell in cells):
        return False
    return family == CACHE_FAMILY or any(cell.cache_freed >= LEAST_SAVED for cell in cells)
