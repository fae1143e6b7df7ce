"""Runs of one table agree in everything but the reduction."""

import json
from pathlib import Path
from typing import Any

import pytest

from fastadasp.cli.report import report
from fastadasp.errors import InputError
from fastadasp.report.runs import find_runs, names
from fastadasp.report.tables import Table
from fastadasp.report.tabulate import tabulate
from tests.helpers.finished_run import write_run


def tables(root: Path) -> list[Table]:
    runs = find_runs([root])
    return tabulate(runs, names(runs), 40)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"generation": {"num_beams": 1}}, {"generation": {"num_beams": 4}}, "generation.num_beams={}"),
        ({"model": {"path": "a", "x": 1}}, {"model": {"path": "b", "x": 1}}, "model.path={}"),
        ({"seed": 0}, {"seed": 1}, "seed={}"),
        ({"hardware": {"batch_size": 1, "threads": 2}}, {"hardware": {"batch_size": 8}}, "hardware.batch_size={}"),
    ],
)
def test_other_settings_make_another_table_named_by_them(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], told: str
) -> None:
    for config, right in ((first, 36), (second, 30)):
        write_run(tmp_path, "none", right, config=config)
        write_run(tmp_path, "random", right - 4, 0.3, config=config, ratio=0.3)
    one, other = tables(tmp_path)
    values = [next(iter(next(iter(c.values())).values())) if "seed" not in c else c["seed"] for c in (first, second)]
    assert (one.conditions, other.conditions) == tuple(told.format(value) for value in values)
    assert one.full is not None and other.full is not None
    assert (one.full.score.value, other.full.score.value) == (36 / 40, 30 / 40)
    (cell,) = other.cells()
    assert cell.difference is not None
    assert cell.difference.value == pytest.approx(-4 / 40), "compared with full tokens of the same settings"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"provenance": {"dtype": "float32"}}, {"provenance": {"dtype": "bfloat16"}}, "dtype"),
        ({"scorer": {"task_version": 1}}, {"scorer": {"task_version": 2}}, "scorer.task_version"),
    ],
)
def test_what_the_machine_or_the_scorer_decides_counts_too(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], told: str
) -> None:
    for more in (first, second):
        write_run(tmp_path, "none", 36, more=more)
    assert [table.conditions.split("=")[0] for table in tables(tmp_path)] == [told, told]


def test_where_results_go_and_how_fast_they_come_makes_no_other_table(tmp_path: Path) -> None:
    write_run(
        tmp_path, "none", 36, config={"hardware": {"num_workers": 4, "trainer": {"devices": 2}}, "experiments": "a"}
    )
    write_run(tmp_path, "random", 30, config={"hardware": {"num_workers": 0}, "selection": {"limit": 3}}, ratio=0.1)
    (table,) = tables(tmp_path)
    assert (table.conditions, len(list(table.cells()))) == ("", 1)


def test_conditions_stand_in_the_heading_and_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for beams in (1, 4):
        write_run(tmp_path, "none", 36, config={"generation": {"num_beams": beams}})
    report([str(tmp_path), "--out", str(tmp_path / "out"), "--resamples", "40"])
    assert "## er: accuracy, higher is better (generation.num_beams=4)" in capsys.readouterr().out
    content = json.loads((tmp_path / "out" / "er-some-2.json").read_text())
    assert content["conditions"] == "generation.num_beams=4"


def test_two_runs_with_full_tokens_in_one_table_are_refused(tmp_path: Path) -> None:
    first, second = write_run(tmp_path, "none", 36), write_run(tmp_path, "fastadasp", 30)
    with pytest.raises(InputError, match=rf"{second} and {first} are both full tokens of one table; leave one out"):
        tables(tmp_path)


@pytest.mark.parametrize(("field", "value"), [("reference", "happy"), ("seconds", 9.5), ("audio_tokens", 7)])
def test_other_clips_under_the_same_ids_are_refused(tmp_path: Path, field: str, value: object) -> None:
    write_run(tmp_path, "none", 36)
    folder = write_run(tmp_path, "random", 30, ratio=0.1)
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    lines[3][field] = value
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=f"ran other clips under the same ids: {field} of 'e3' is {value!r} and "):
        tables(tmp_path)


def test_a_clip_that_could_not_be_read_is_no_other_clip(tmp_path: Path) -> None:
    write_run(tmp_path, "none", 36)
    folder = write_run(tmp_path, "random", 30, ratio=0.1)
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    lines[3] |= {"error": "out of memory", "audio_tokens": 99, "seconds": 1}
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(tables(tmp_path)) == 1
