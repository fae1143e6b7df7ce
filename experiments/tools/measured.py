"""Copies the scores of a grid's report into the documents: `python -m experiments.tools.measured`.

Run it after `make tables`. What stands between the marks in docs/methods.md and README.md is replaced, and so is the
line of each method that begins with `*Measured:*`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastadasp.config.paths import REPOSITORY
from fastadasp.grid.spec import read
from fastadasp.report.blocks import Block, Resource, blocks
from fastadasp.report.layouts.markdown import MISSED
from fastadasp.report.stored import find_tables
from fastadasp.report.tables import FULL_TOKENS, Cell, Table

RESULTS = REPOSITORY / "experiments" / "results" / "tiny_tables"
DOCUMENT = REPOSITORY / "docs" / "methods.md"
README = REPOSITORY / "README.md"
GRID = REPOSITORY / "experiments" / "grids" / "tiny.yaml"
MEASURED = ("<!-- measured: begin -->\n", "<!-- measured: end -->\n")
SCORES = ("<!-- scores: begin -->\n", "<!-- scores: end -->\n")
AMOUNTS = (0.3, 0.5)
README_AMOUNTS = (0.3, 0.4, 0.5)
README_ROWS = ("FastAdaSP", "random merge", "FastV", "Frame", "Blend (ours)")
TASKS = {"asr": "recognition", "st": "translation", "er": "emotion", "sqa": "question answering"}


def section(tables: Sequence[Table]) -> str:
    """Markdown: one line for each method, one column for each task and amount; what saves FLOPs and what frees cache in
    tables of their own."""
    return "\n".join(
        [
            f"`make tables` on `model={tables[0].model}`, {tables[0].examples} clips a task. †: worse than full tokens",
            f"beyond what resampling explains; {MISSED}: the amount was missed, with the share really saved.",
            "Intervals, plots and answers: `experiments/results/tiny_tables`.",
            "",
            *_table(tables, Resource.flops, "Columns: the share of the prefill's FLOPs saved."),
            *_table(tables, Resource.cache, "Columns: the share of the audio's cache freed, for no FLOPs."),
        ]
    )


def _table(tables: Sequence[Table], resource: Resource, about: str) -> list[str]:
    parts = [block for table in tables for block in blocks(table) if block.resource is resource]
    titles = [f"{part.table.task} {part.table.objective}, {amount:.0%}" for part in parts for amount in AMOUNTS]
    full = [f"{_full(part.table)} | " for part in parts]
    lines = [
        about,
        "",
        f"| method | {' | '.join(titles)} |",
        "|---" * (len(titles) + 1) + "|",
        f"| {FULL_TOKENS} | {' | '.join(full)} |",
    ]
    names = dict.fromkeys(name for part in parts for name in part.rows)
    rows = {name: [_at(part, name, amount) for part in parts for amount in AMOUNTS] for name in names}
    return [*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()), ""]


def summary(tables: Sequence[Table]) -> str:
    """Markdown: a few methods, the scores of each task at several amounts in one cell."""
    parts = [next(iter(blocks(table))) for table in tables]
    titles = [f"{TASKS.get(part.table.task, part.table.task)}, {part.table.title}" for part in parts]
    lines = [f"| method | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    lines.append(f"| {FULL_TOKENS} | {' | '.join(_full(part.table) for part in parts)} |")
    for name in README_ROWS:
        cells = [", ".join(_at(part, name, amount).rstrip("†") for amount in README_AMOUNTS) for part in parts]
        lines.append(f"| {name.replace(' (ours)', ', ours')} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def with_lines(text: str, rows: Mapping[str, str], tables: Sequence[Table]) -> str:
    """`text` with the line of every method that `tables` have renewed; what was measured elsewhere stays.

    rows: by what `merge=` is called, the method's name in `tables`.
    """
    method, lines = "", []
    for line in text.split("\n"):
        if begun := re.match(r"\*\*`(\w+)`\*\* ", line):
            method = begun[1]
        renewed = _line(rows.get(method), tables) if line.startswith("*Measured:*") else ""
        lines.append(renewed or line)
    return "\n".join(lines)


def _line(name: str | None, tables: Sequence[Table]) -> str:
    """One method's scores at AMOUNTS, task by task; empty where it has none."""
    found = []
    for part in (block for table in tables for block in blocks(table)):
        cells = [_at(part, name, amount) for amount in AMOUNTS] if name in part.rows else []
        if any(cells):
            scores = " and ".join(cell or "-" for cell in cells)
            found.append(f"{part.table.task} {part.table.objective} {scores} (full {_full(part.table)})")
    amounts = " and ".join(f"{amount:.0%}" for amount in AMOUNTS)
    return f"*Measured:* {'; '.join(found)} at {amounts}." if found else ""


def _at(block: Block, name: str | None, amount: float) -> str:
    """The score of a method at an amount; empty where it did not run."""
    cells = block.rows.get(name or "", [])
    return next((_score(block, cell) for cell in cells if cell.amount is not None and cell.amount[1] == amount), "")


def _score(block: Block, cell: Cell) -> str:
    missed = f" ({MISSED} {block.reached(cell):.1%})" if block.missed(cell) else ""
    return f"{cell.score.value * block.table.scale:.1f}{'†' if block.table.worse(cell) else ''}{missed}"


def _full(table: Table) -> str:
    return "" if table.full is None else f"{table.full.score.value * table.scale:.1f}"


def _renewed(file: Path, marks: tuple[str, str], content: str) -> str:
    """The text of `file` with `content` between the marks."""
    before, _, rest = file.read_text(encoding="utf-8").partition(marks[0])
    return before + marks[0] + content + marks[1] + rest.partition(marks[1])[2]


def main() -> None:
    """Rewrite the documents' sections and lines."""
    tables = [table for table, _ in find_tables([RESULTS])]
    rows = {row.settings[0].removeprefix("merge="): row.name for row in reversed(read(GRID).rows())}
    text = with_lines(_renewed(DOCUMENT, MEASURED, section(tables)), rows, tables)
    DOCUMENT.write_text(text, encoding="utf-8")
    README.write_text(_renewed(README, SCORES, summary(tables)), encoding="utf-8")


if __name__ == "__main__":
    main()
