"""The benchmark's tables, drawn from results that were measured."""

import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from fastadasp.benchmark import report
from fastadasp.config.paths import REPOSITORY


def measured(file: str) -> dict[str, Any]:
    """What a results file holds of its shape."""
    text = (REPOSITORY / "experiments" / "results" / "long_audio" / file).read_text(encoding="utf-8")
    return json.loads(text)["shapes"]["half_billion"]  # type: ignore[no-any-return]


def drawn(results: Mapping[str, Any]) -> list[str]:
    """Lines of the tables on a terminal of 80 columns."""
    terminal = StringIO()
    report.show(Console(file=terminal, width=80), "half_billion", results)
    return terminal.getvalue().splitlines()


@pytest.mark.parametrize("file", ["cpu_prefill.json", "cpu_answers.json"])
def test_tables_are_whole_on_a_terminal_of_80_columns(file: str) -> None:
    lines = drawn(measured(file))
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines), "something was cut off"
    assert sum(line.startswith("static   50% constant ") for line in lines) >= 6, "no name of a row is broken"


def test_columns_that_no_row_fills_are_left_out_and_errors_told() -> None:
    results = measured("cpu_prefill.json")
    case = results["sweeps"]["prefill"][0]
    failed = {"path": "merging", "tokens": "full", "error": "out of memory"}
    some, none = ({**case, "rows": rows} for rows in ([*case["rows"], failed], [failed]))
    lines = [line.split() for line in drawn({**results, "sweeps": {"some": [some], "none": [none]}})]
    assert ["path", "audio", "tokens", "TTFT", "s", "RTF"] in lines, "a prefill alone decodes nothing"
    assert lines.count(["merging,", "full:", "out", "of", "memory"]) == 2
    assert lines.count(["answer"]) == 1, "no table without rows"
