"""Tables 1 and 2 of the FastAdaSP paper, its own figures beside: `python -m experiments.tools.paper REPORT --out FILE`.

REPORT is the folder of a written report with the rows of experiments/grids/paper.yaml; `make paper-tables` writes one.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import InputError
from fastadasp.files.yaml_text import read_yaml
from fastadasp.report.blocks import Block, blocks
from fastadasp.report.layouts.markdown import MISSED
from fastadasp.report.stored import find_tables
from fastadasp.report.tables import FULL_TOKENS, Table

FIGURES = REPOSITORY / "experiments" / "tools" / "paper_figures.yaml"
LAYOUT = (("Table 1: dense tasks", ("asr", "st")), ("Table 2: sparse tasks", ("er", "sqa")))
AMOUNTS = (0.1, 0.2, 0.3, 0.4, 0.5)
ABOUT = """\
In each place: the score of this report's model, and in parentheses the paper's, of WavLLM. Models, test sets and
prompts differ: what can be compared is the order of the methods and where they break. FLOPs are those of the prefill;
H2O saves none, its amount is the share of the audio's cache freed. {missed}: the amount was missed.
"""


def document(tables: Mapping[str, Table], figures: Mapping[str, Any]) -> str:
    """Both tables as Markdown. Raises InputError where no table is of one of the paper's tasks."""
    known = [table for task, table in tables.items() if task in figures["full"]]
    if not known:
        raise InputError(f"no table of {', '.join(figures['full'])}; run make paper-tables")
    parts = [f"# The paper's tables 1 and 2 on {known[0].model}", "", ABOUT.format(missed=MISSED)]
    for title, tasks in LAYOUT:
        found = [tables[task] for task in tasks if task in tables]
        if found:
            parts += [f"## {title}", "", *_lines(found, figures), ""]
    return "\n".join(parts)


def _lines(tables: Sequence[Table], figures: Mapping[str, Any]) -> list[str]:
    heads = [f"{table.task} {table.title}, {amount:.0%}" for table in tables for amount in AMOUNTS]
    full = [[_full(table, figures), *[""] * (len(AMOUNTS) - 1)] for table in tables]
    lines = [
        f"| FLOPs saved | {' | '.join(heads)} |",
        "|---" * (len(heads) + 1) + "|",
        f"| {FULL_TOKENS} | {' | '.join(cell for cells in full for cell in cells)} |",
    ]
    for method in figures["methods"]:
        cells = [
            _cell(table, method, place) if method.get(table.task) else ""
            for table in tables
            for place in range(len(AMOUNTS))
        ]
        if any(cells):
            lines.append(f"| {method['name']} | {' | '.join(cells)} |")
    return lines


def _cell(table: Table, method: Mapping[str, Any], place: int) -> str:
    own = next((text for block in blocks(table) if (text := _score(block, method["row"], AMOUNTS[place]))), "-")
    return f"{own} ({method[table.task][place]:g})"


def _score(block: Block, row: str, amount: float) -> str:
    for cell in block.rows.get(row, []):
        if cell.amount is not None and cell.amount[1] == amount:
            return f"{block.table.scale * cell.score.value:.1f}{MISSED if block.missed(cell) else ''}"
    return ""


def _full(table: Table, figures: Mapping[str, Any]) -> str:
    own = "-" if table.full is None else f"{table.scale * table.full.score.value:.1f}"
    return f"{own} ({figures['full'][table.task]:g})"


def main() -> None:
    """Write the document."""
    parser = argparse.ArgumentParser(description="The paper's tables 1 and 2, its own figures beside.")
    parser.add_argument("report", type=Path, help="folder of a written report")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    given = parser.parse_args()
    figures: Any = read_yaml(FIGURES)
    tables = {table.task: table for table, _ in find_tables([given.report])}
    given.out.write_text(document(tables, figures), encoding="utf-8")


if __name__ == "__main__":
    main()
