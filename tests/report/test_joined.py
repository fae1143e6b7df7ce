"""New rows in a standing report."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from fastadasp.errors import InputError
from fastadasp.report.gather import gather
from fastadasp.report.joined import joined
from fastadasp.report.tables import Table
from tests.helpers.finished_run import write_run

Made = Callable[..., Table]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A table of full tokens (36 of 40 right) and one method."""

    def make(folder: str, name: str, right: int, amount: float) -> Table:
        add = partial(write_run, tmp_path / folder)
        add("none", 36)
        add(name, right, amount, flops_reduction=amount)
        (table,) = gather([tmp_path / folder], resamples=50).tables
        return table

    return make


def test_rows_of_both_reports_stand_in_one_table_in_the_order_asked_for(made: Made) -> None:
    first, second = made("first", "frame", 30, 0.3), made("second", "fastadasp", 33, 0.3)
    more, again = made("more", "frame", 20, 0.5), made("again", "frame", 31, 0.3)
    (table,) = joined(joined(joined([first], [second]), [more]), [again], ["fastadasp", "frame"])
    found = {name: [(cell.amount, cell.score.value) for cell in cells] for name, cells in table.rows.items()}
    assert found == {
        "fastadasp": [(("flops_reduction", 0.3), 33 / 40)],
        "frame": [(("flops_reduction", 0.3), 31 / 40), (("flops_reduction", 0.5), 20 / 40)],
    }
    assert list(table.rows) == ["fastadasp", "frame"]
    assert set(table.families) == {"fastadasp", "frame"}


def test_runs_of_other_clips_or_another_model_are_not_mixed(made: Made) -> None:
    table = made("first", "frame", 30, 0.3)
    other = replace(table, task="other")
    assert joined([table], [other]) == sorted([table, other], key=lambda one: one.place)
    with pytest.raises(InputError, match="has other clips"):
        joined([table], [replace(table, ids=[*table.ids[1:], "x"])])
    assert table.full is not None
    changed = replace(table.full, answers=["x", *table.full.answers[1:]])
    with pytest.raises(InputError, match=r"full tokens of .* give other answers"):
        joined([table], [replace(table, full=changed)])
