"""The benchmark's tables, drawn from results that were measured."""

import json
from io import StringIO

import pytest
from rich.console import Console

from fastadasp.benchmark import report
from fastadasp.fingerprint import REPOSITORY

RESULTS = REPOSITORY / "experiments" / "results" / "long_audio"


def drawn(file: str, width: int = 80) -> list[str]:
    """Lines of the tables of one results file."""
    console = Console(file=StringIO(), width=width, force_terminal=False)
    (shape, results), *_ = json.loads((RESULTS / file).read_text(encoding="utf-8"))["shapes"].items()
    report.show(console, shape, results)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("file", ["cpu_prefill.json", "cpu_answers.json"])
def test_tables_are_whole_on_a_terminal_of_80_columns(file: str) -> None:
    lines = drawn(file)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines), "something was cut off"
    assert sum(line.startswith("static   50% constant ") for line in lines) >= 6, "no name of a row is broken"


def test_columns_that_no_row_fills_are_left_out_and_errors_told() -> None:
    console = Console(file=StringIO(), width=80)
    results = json.loads((RESULTS / "cpu_prefill.json").read_text(encoding="utf-8"))["shapes"]["half_billion"]
    case = results["sweeps"]["prefill"][0]
    failed = {"path": "merging", "tokens": "full", "error": "out of memory"}
    everything = {**case, "rows": [*case["rows"], failed]}
    nothing = {**case, "rows": [failed]}
    report.show(console, "half_billion", {**results, "sweeps": {"some": [everything], "none": [nothing]}})
    assert isinstance(console.file, StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["path", "audio", "tokens", "TTFT", "s", "RTF"] in lines, "a prefill alone decodes nothing"
    assert lines.count(["merging,", "full:", "out", "of", "memory"]) == 2
    assert lines.count(["answer"]) == 1, "no table without rows"
