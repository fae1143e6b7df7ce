"""Reports on runs with made-up answers: the numbers in tables, JSON and plots, and what is refused."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fastadasp.errors import InputError
from fastadasp.report.__main__ import main
from fastadasp.report.runs import find_runs, names
from fastadasp.report.tabulate import tabulate
from tests.helpers.finished_run import RIGHT, write_run

Add = Callable[..., Path]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Writes the folder of a finished emotion run of 40 examples, of which the first `right` are right."""
    return partial(write_run, tmp_path)


def test_a_report_compares_with_full_tokens_and_finds_the_front(add: Add, tmp_path: Path, capsys: Any) -> None:
    add("none", 36)
    add("fastadasp", 35, 0.1, flops_reduction=0.1)
    add("fastadasp", 30, 0.3, flops_reduction=0.3)
    add("random", 36, 0.11, flops_reduction=0.1)
    add("random", 12, 0.3004, flops_reduction=0.3)
    add("h2o", 36, 0.0, ratio=0.3)
    main([str(tmp_path), "--out", str(tmp_path / "out"), "--resamples", "500"])
    printed = capsys.readouterr().out
    content = json.loads((tmp_path / "out" / "er-some.json").read_text())
    assert content["full_tokens"]["score"]["value"] == 0.9
    cells = {(name, *cell["asked"].values()): cell for name, row in content["rows"].items() for cell in row}
    assert cells["random", 0.3]["difference_from_full_tokens"]["value"] == pytest.approx(-0.6)
    assert cells["random", 0.3]["difference_from_full_tokens"]["high"] < 0
    assert {key for key, cell in cells.items() if cell["on_pareto_front"]} == {("fastadasp", 0.3), ("random", 0.1)}
    line = next(line for line in printed.splitlines() if line.startswith("| random"))
    assert line.split("|")[2].strip().startswith("**90.0** [")
    assert line.split("|")[3].strip().startswith("30.0† [")
    assert (tmp_path / "out" / "er-some.png").read_bytes()[:4] == b"\x89PNG"
    first, *answers = map(json.loads, (tmp_path / "out" / "er-some.answers.jsonl").read_text().splitlines())
    right = {
        line["method"]: line["answers"].count(RIGHT) for line in answers if line["asked"] in (None, {"ratio": 0.3})
    }
    assert (len(first["ids"]), right) == (40, {"full tokens": 36, "h2o": 36})
    assert str(tmp_path) not in (tmp_path / "out" / "er-some.json").read_text(), "no path of this machine"


def test_rows_are_named_by_what_differs(add: Add, tmp_path: Path) -> None:
    first, second = add("fastadasp", 9, ratio=0.1, layer=2), add("fastadasp", 9, ratio=0.1, layer=4)
    other = add("random", 9, ratio=0.2)
    runs = find_runs([tmp_path])
    assert names(runs) == {first: "fastadasp layer=2", second: "fastadasp layer=4", other: "random"}
    (table,) = tabulate(runs, names(runs), 10)
    assert {name: len(cells) for name, cells in table.rows.items()} == {
        "fastadasp layer=2": 1, "fastadasp layer=4": 1, "random": 1,
    }  # fmt: skip


def test_what_cannot_be_compared_is_refused(add: Add, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no finished run .* under"):
        find_runs([tmp_path])
    first, second = add("random", 3, ratio=0.1), add("random", 3, ratio=0.1, ids="x")
    with pytest.raises(InputError, match="ran other examples"):
        tabulate(find_runs([first, second]), names(find_runs([tmp_path])), 10)
    twice = [*find_runs([first]), *find_runs([add("random", 4, ratio=0.1)])]
    with pytest.raises(InputError, match=r"are both random at ratio=0\.1; leave one out"):
        tabulate(twice, names(twice), 10)
