"""A report as files: Markdown, one JSON, one plot and one file of answers for each table."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from fastadasp.report.markdown import markdown
from fastadasp.report.plain import file_name
from fastadasp.report.plots import plot
from fastadasp.report.tables import FULL_TOKENS, Cell, Table


def text(tables: Sequence[Table]) -> str:
    """All tables as Markdown."""
    return "\n".join(map(markdown, tables))


def write(tables: Sequence[Table], folder: Path, preface: str = "", more: Mapping[str, Any] | None = None) -> None:
    """Fill `folder`: `report.md`, and for each table `<task>-<model>.json`, `.png` and `.answers.jsonl`.

    Where several tables would have one name, the second gets `-2` and so on. preface: Markdown that opens the report.
    more: what else each JSON is to hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    named: dict[str, Table] = {}
    for table in tables:
        name = _free(file_name(f"{table.task}-{table.model}"), named)
        named[name] = table
        content = json.dumps({**table.described(), **(more or {})}, indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(content + "\n", encoding="utf-8")
        (folder / f"{name}.answers.jsonl").write_text("".join(_answers(table)), encoding="utf-8")
    pictures = [f"![{name}]({name}.png)" for name in named]
    content = "\n".join([preface, text(tables), *pictures, ""])
    (folder / "report.md").write_text(content.lstrip(), encoding="utf-8")
    for name, table in named.items():
        plot(table, folder / f"{name}.png")


def _free(name: str, taken: Collection[str]) -> str:
    """`name`, numbered where it is taken already (in capitals too, since some disks do not tell them apart)."""
    lower = [other.lower() for other in taken]
    numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(free for free in numbered if free.lower() not in lower)


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
