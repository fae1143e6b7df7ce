"""New rows in a report that stands already, so that adding a method does not run all others again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fastadasp.errors import InputError
from fastadasp.report.tables import Cell, Table


def joined(standing: Sequence[Table], new: Sequence[Table], order: Sequence[str] = ()) -> list[Table]:
    """The standing tables with the rows of the new ones; where both have a method at an amount, the new run counts.

    order: names of rows, in which those of a table come; others follow. InputError where a new table has other clips
    than the standing one of its task, model and conditions, or other answers with full tokens: their rows cannot be
    compared.
    """
    known = {_key(table): table for table in standing}
    for table in new:
        old = known.get(_key(table))
        known[_key(table)] = table if old is None else _joined(old, table, order)
    return sorted(known.values(), key=lambda table: table.place)


def _key(table: Table) -> tuple[str, str, str]:
    return table.task, table.model, table.conditions


def _joined(old: Table, new: Table, order: Sequence[str]) -> Table:
    if (old.ids, old.references) != (new.ids, new.references):
        raise InputError(
            f"the standing report has other clips of {new.task} than the new runs; write to another folder"
        )
    if old.full is None or new.full is None or old.full.answers != new.full.answers:
        raise InputError(
            f"full tokens of {new.task} give other answers than in the standing report (or were not run), so that rows "
            "of both cannot be compared; run the whole grid, or write to another folder"
        )
    names = [name for name in order if name in old.rows or name in new.rows]
    names += [name for name in (*old.rows, *new.rows) if name not in names]
    rows = {name: _cells(old.rows.get(name, ()), new.rows.get(name, ())) for name in dict.fromkeys(names)}
    families: Mapping[str, str] = {**old.families, **new.families}
    return replace(new, rows=rows, families={name: families[name] for name in rows if name in families})


def _cells(old: Sequence[Cell], new: Sequence[Cell]) -> list[Cell]:
    """Both by rising amounts."""
    by_amount = {cell.amount: cell for cell in (*old, *new) if cell.amount is not None}
    return [by_amount[amount] for amount in sorted(by_amount)]
