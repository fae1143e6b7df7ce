"""Copies the scores of a grid's report into docs/methods.md: `python -m experiments.tools.measured`.

Run it after `make tables`. What stands between the two marks in the document is replaced, and so is the line of each
method that begins with `*Measured:*`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hydra.utils import get_class

from fastadasp.config.compose import compose
from fastadasp.config.paths import REPOSITORY
from fastadasp.grid.spec import read
from fastadasp.tasks.base import Task

RESULTS = REPOSITORY / "experiments" / "results" / "tiny_tables"
DOCUMENT = REPOSITORY / "docs" / "methods.md"
GRID = REPOSITORY / "experiments" / "grids" / "tiny.yaml"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
AMOUNTS = (0.3, 0.5)


def section(tables: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: one line for each method, one column for each task and amount."""
    titles = [f"{table['task']} {table['objective']}, {amount:.0%}" for table in tables for amount in AMOUNTS]
    full = [f"{_percent(table, table['full_tokens'])} | " for table in tables]
    names = list(dict.fromkeys(name for table in tables for name in table["rows"]))
    lines = [
        f"`make tables` on `model={tables[0]['model']}`, {tables[0]['examples']} clips a task. Columns: the share of",
        "the prefill's FLOPs saved, for cache methods that of the audio's cache freed. †: worse than full tokens",
        "beyond what resampling explains. Amounts, intervals, plots and answers: `experiments/results/tiny_tables`.",
        "",
        f"| method | {' | '.join(titles)} |",
        "|---" * (len(titles) + 1) + "|",
        f"| full tokens | {' | '.join(full)} |",
    ]
    for name in names:
        cells = [_cell(table, name, amount) for table in tables for amount in AMOUNTS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def with_lines(text: str, rows: Mapping[str, str], tables: Sequence[Mapping[str, Any]]) -> str:
    """`text` with the line of every method that it explains renewed.

    rows: by what `merge=` is called, the method's name in `tables`.
    """
    method, lines = "", []
    for line in text.split("\n"):
        if begun := re.match(r"\*\*`(\w+)`\*\* ", line):
            method = begun[1]
        lines.append(_line(rows.get(method), tables) if line.startswith("*Measured:*") else line)
    return "\n".join(lines)


def _line(name: str | None, tables: Sequence[Mapping[str, Any]]) -> str:
    """One method's scores at AMOUNTS, task by task."""
    found = []
    for table in tables:
        cells = [_cell(table, name, amount) if name else "" for amount in AMOUNTS]
        if any(cells):
            scores = " and ".join(cell or "-" for cell in cells)
            full = _percent(table, table["full_tokens"])
            found.append(f"{table['task']} {table['objective']} {scores} (full {full})")
    amounts = " and ".join(f"{amount:.0%}" for amount in AMOUNTS)
    return f"*Measured:* {'; '.join(found)} at {amounts}." if found else "*Measured:* not yet."


def _cell(table: Mapping[str, Any], name: str, amount: float) -> str:
    """The score of a method at an amount; a dagger where it is worse than full tokens; empty where it did not run."""
    cell = next((cell for cell in table["rows"].get(name, []) if amount in cell["asked"].values()), None)
    if cell is None:
        return ""
    difference = cell["difference_from_full_tokens"]
    worse = difference["high"] < 0 if table["higher_is_better"] else difference["low"] > 0
    return _percent(table, cell) + ("†" if worse else "")


def _percent(table: Mapping[str, Any], cell: Mapping[str, Any]) -> str:
    factor = 1.0 if _task(table["task"]).percent else 100.0
    return f"{cell['score']['value'] * factor:.1f}"


@cache
def _task(name: str) -> type[Task]:
    """The class of a task, which knows its place among others and whether its scores are percent."""
    task: type[Task] = get_class(compose(f"task={name}").task._target_)
    return task


def main() -> None:
    """Rewrite the document's section and lines."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in RESULTS.glob("*.json")]
    tables = sorted(found, key=lambda table: (_task(table["task"]).place, table["task"]))
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    rows = {row["settings"][0].removeprefix("merge="): row["name"] for row in reversed(read(GRID).methods)}
    renewed = before + BEGIN + section(tables) + END + after
    DOCUMENT.write_text(with_lines(renewed, rows, tables), encoding="utf-8")


if __name__ == "__main__":
    main()
