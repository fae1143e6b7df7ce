"""What counts as having reached an amount, and which methods are ranked together."""

import csv
import json
import re
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path

import pytest

from fastadasp.cli.report import report
from fastadasp.errors import InputError
from fastadasp.report.blocks import Resource, blocks
from fastadasp.report.gather import gather
from fastadasp.report.layouts.comma import comma_separated
from fastadasp.report.layouts.latex import latex
from fastadasp.report.layouts.markdown import markdown
from fastadasp.report.tables import Table
from tests.helpers.finished_run import write_run

Add = Callable[..., Path]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    return partial(write_run, tmp_path)


def only(root: Path) -> Table:
    (table,) = gather([root], resamples=100).tables
    return table


def cost(flops: float, cache: float, removed: float) -> dict[str, object]:
    """Entries of metrics.json: shares of FLOPs, of cache and of audio tokens saved."""
    return {
        "cost": {"flops_paper_saved": flops, "kv_bytes_saved": cache},
        "reduction": {"ratio": removed, "measured": removed},
    }


def test_a_method_that_misses_its_amount_is_marked_and_never_best(add: Add, tmp_path: Path) -> None:
    add("none", 36)
    add("fastadasp", 30, 0.5, flops_reduction=0.5)
    add("frame", 33, 0.47, flops_reduction=0.5)
    add("deep", 36, more=cost(0.036, 0.035, 0.5), ratio=0.5)
    table = only(tmp_path)
    (block,) = blocks(table)
    assert [name for name, cells in block.rows.items() if block.missed(cells[0])] == ["deep"]
    assert [cell.score.value for cell in block.best(("flops_reduction", 0.5))] == [33 / 40]
    assert [cell.score.value for cell in block.front()] == [33 / 40, 30 / 40], "nor is it on the front"
    lines = {line.split("|")[1].strip(): line for line in markdown(table).splitlines() if line.startswith("|")}
    assert re.search(r"\| 90\.0 \[.*\] ✗ 3\.6 % \|$", lines["deep"])
    assert re.search(r"\| \*\*82\.5\*\*.*\] 47\.0 % \|$", lines["frame"]) and "**" not in lines["fastadasp"]
    assert r"90.0 ($\times$\,3.6\,\%)" in latex([table]) and r"\textbf{82.5}" in latex([table])
    rows = {row["method"]: row for row in csv.DictReader(StringIO(comma_separated([table])))}
    assert {name: row["missed"] for name, row in rows.items() if row["amount"]} == {
        "deep": "True", "fastadasp": "False", "frame": "False",
    }  # fmt: skip
    assert float(rows["deep"]["reached"]) == 0.036


def test_methods_that_free_cache_are_ranked_apart_from_those_that_save_flops(add: Add, tmp_path: Path) -> None:
    add("none", 36)
    add("fastadasp", 30, 0.3, flops_reduction=0.3)
    add("h2o", 36, more=cost(0.0, 0.25, 0.29), ratio=0.3)
    add("knorm", 35, more=cost(0.0, 0.25, 0.29), ratio=0.3)
    add("lazy", 36, more=cost(0.0, 0.1, 0.12), ratio=0.3)
    flops, cache = blocks(only(tmp_path))
    assert (flops.resource, list(flops.rows)) == (Resource.flops, ["fastadasp"])
    assert (cache.resource, sorted(cache.rows)) == (Resource.cache, ["h2o", "knorm", "lazy"])
    for block, column, best in ((flops, ("flops_reduction", 0.3), 30), (cache, ("ratio", 0.3), 36)):
        assert [cell.score.value for cell in block.best(column)] == [best / 40]
    assert cache.missed(cache.rows["lazy"][0]) and not cache.missed(cache.rows["h2o"][0])
    assert [cell.cache_freed for cell in cache.front()] == [0.25]


def test_where_shares_of_tokens_are_asked_a_run_that_removes_them_late_is_not_compared(
    add: Add, tmp_path: Path
) -> None:
    add("none", 36)
    for layer, saved, right in ((2, 0.25, 30), (6, 0.17, 32), (10, 0.02, 36)):
        add("fastadasp", right, more=cost(saved, saved, 0.3), ratio=0.3, layer=layer)
    (block,) = blocks(only(tmp_path))
    assert {name: block.missed(cells[0]) for name, cells in block.rows.items()} == {
        "fastadasp layer=2": False, "fastadasp layer=6": False, "fastadasp layer=10": True,
    }  # fmt: skip
    assert [cell.score.value for cell in block.best(("ratio", 0.3))] == [32 / 40]


def test_a_column_that_none_reaches_has_no_best(add: Add, tmp_path: Path) -> None:
    add("deep", 36, more=cost(0.02, 0.02, 0.5), flops_reduction=0.5)
    (block,) = blocks(only(tmp_path))
    assert block.best(("flops_reduction", 0.5)) == []
    assert "**9" not in markdown(block.table)


def test_a_written_report_is_read_back_as_it_was(add: Add, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add("none", 36)
    add("fastadasp", 30, 0.3, flops_reduction=0.3)
    add("h2o", 36, more=cost(0.0, 0.25, 0.29), ratio=0.3)
    first, second = tmp_path / "first", tmp_path / "second"
    report([str(tmp_path / "er"), "--out", str(first), "--resamples", "50"])
    report([str(first), "--out", str(second)])
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    for name in names:
        if not name.endswith(".png"):
            assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": []}, "field 'rows' must be an object"),
        ({"families": {"h2o": "x"}}, "families must be among decoder, input"),
        ({"rows": {"h2o": [{"score": 3}]}}, "in score|must be an object|is missing"),
        ({"examples": "many"}, "field 'examples' must be"),
    ],
)
def test_json_that_no_report_writes_is_named(
    add: Add, tmp_path: Path, change: dict[str, object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add("h2o", 36, more=cost(0.0, 0.25, 0.29), ratio=0.3)
    out = tmp_path / "out"
    report([str(tmp_path / "er"), "--out", str(out), "--resamples", "50"])
    file = out / "er-some.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(InputError, match=rf"er-some\.json is not what a report writes: .*({message})"):
        report([str(out)])


def test_names_are_plain_text_in_latex(add: Add, tmp_path: Path) -> None:
    add(r"a_b $x$ 50% \input{/etc/passwd} #1 & ~^", 36, 0.3, flops_reduction=0.3)
    (line,) = (line for line in latex([only(tmp_path)]).splitlines() if line.startswith("a"))
    assert line.startswith(
        r"a\_b \$x\$ 50\% \textbackslash{}input\{/etc/passwd\} \#1 \& \textasciitilde{}\textasciicircum{} & "
    )
