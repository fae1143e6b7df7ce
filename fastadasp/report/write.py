"""A report as files: Markdown, one JSON, one plot and one file of answers for each table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastadasp.report.markdown import markdown
from fastadasp.report.plots import plot
from fastadasp.report.tables import FULL_TOKENS, Cell, Table


def text(tables: Sequence[Table]) -> str:
    """All tables as Markdown."""
    return "\n".join(map(markdown, tables))


def write(tables: Sequence[Table], folder: Path, preface: str = "", more: Mapping[str, Any] | None = None) -> None:
    """Fill `folder`: `report.md`, and for each table `<task>-<model>.json`, `.png` and `.answers.jsonl`.

    preface: Markdown that opens the report. more: what else each JSON is to hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for table in tables:
        name = f"{table.task}-{table.model}"
        content = json.dumps({**table.described(), **(more or {})}, indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(content + "\n", encoding="utf-8")
        (folder / f"{name}.answers.jsonl").write_text("".join(_answers(table)), encoding="utf-8")
        plot(table, folder / f"{name}.png")
        pictures.append(f"![{name}]({name}.png)")
    (folder / "report.md").write_text("\n".join([preface, text(tables), *pictures, ""]).lstrip(), encoding="utf-8")


def _answers(table: Table) -> Iterator[str]:
    """One line with the examples' ids and references, then one with the answers of each run."""
    full: list[tuple[str, Cell]] = [] if table.full is None else [(FULL_TOKENS, table.full)]
    cells = [*full, *((name, cell) for name, cells in table.rows.items() for cell in cells)]
    first = cells[0][1].run.predictions
    yield _line({"ids": [p.id for p in first], "references": [p.reference for p in first]})
    for name, cell in cells:
        asked = None if cell.amount is None else dict([cell.amount])
        yield _line({"method": name, "asked": asked, "answers": [p.answer for p in cell.run.predictions]})


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"
