"""A report as files: Markdown, LaTeX, CSV, and one JSON, one file of answers and pictures for each table."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from fastadasp.report.blocks import Resource, blocks
from fastadasp.report.gather import Gathered
from fastadasp.report.layouts.comma import comma_separated
from fastadasp.report.layouts.latex import latex
from fastadasp.report.layouts.markdown import markdown
from fastadasp.report.page.content import content
from fastadasp.report.page.page import write_page
from fastadasp.report.pictures.printed import save
from fastadasp.report.pictures.quality import quality_against_cost
from fastadasp.report.plain import escaped, file_name
from fastadasp.report.stored import ANSWERS, described
from fastadasp.report.tables import FULL_TOKENS, Cell, Table

SUFFIXES = {Resource.flops: "", Resource.cache: "-cache"}
"""What the name of a picture ends with, by what its methods save."""


def text(tables: Sequence[Table]) -> str:
    """All tables as Markdown."""
    return "\n".join(map(markdown, tables))


def preface(title: str, problems: Mapping[str, str]) -> str:
    """Markdown that opens a report. problems: what could not be run, each with the reason."""
    lines = [f"- {escaped(name)}: {escaped(problem, 400)}" for name, problem in problems.items()]
    notes = ["Not run:", "", *lines, ""] if lines else []
    return "\n".join([f"# {escaped(title, 200)}", "", *notes])


def write(
    gathered: Gathered, folder: Path, title: str = "", chosen: Collection[str] = (), *, page: bool = True
) -> None:
    """Fill `folder`: `report.md`, `.tex` and `.csv`; for each table `<task>-<model>.json`, answers and pictures.

    Tables are written before pictures. Where several tables would have one name, the second gets `-2` and so on.
    chosen: methods to label in pictures besides those on the front. page: also write `report.html`.
    """
    tables, problems = gathered.tables, gathered.problems
    folder.mkdir(parents=True, exist_ok=True)
    named: dict[str, Table] = {}
    for table in tables:
        name = _free(file_name(f"{table.task}-{table.model}"), named)
        named[name] = table
        more = {"not_run": problems} if problems else {}
        _put(folder / f"{name}.json", json.dumps({**described(table), **more}, indent=1, ensure_ascii=False) + "\n")
        _put(folder / f"{name}{ANSWERS}", "".join(_answers(table)))
    pictures = [
        (f"{name}{SUFFIXES[block.resource]}", block) for name, table in named.items() for block in blocks(table)
    ]
    links = [f"![{name}]({name}.png)" for name, _ in pictures]
    opening = preface(title, problems) if title else ""
    _put(folder / "report.md", "\n".join([opening, text(tables), *links, ""]).lstrip())
    _put(folder / "report.tex", latex(tables))
    _put(folder / "report.csv", comma_separated(tables))
    for name, block in pictures:
        save(quality_against_cost(block, chosen), folder / f"{name}.png", folder / f"{name}.svg")
    if page:
        write_page(content(gathered, title, chosen), folder / "report.html")


def _put(file: Path, content: str) -> None:
    file.write_text(content, encoding="utf-8")


def _free(name: str, taken: Collection[str]) -> str:
    """`name`, numbered where it is taken already (in capitals too, since some disks do not tell them apart)."""
    lower = [other.lower() for other in taken]
    numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(free for free in numbered if free.lower() not in lower)


def _answers(table: Table) -> Iterator[str]:
    """One line with the examples' ids and references, then one with the answers of each run."""
    full: list[tuple[str, Cell]] = [] if table.full is None else [(FULL_TOKENS, table.full)]
    cells = [*full, *((name, cell) for name, cells in table.rows.items() for cell in cells)]
    yield _line({"ids": table.ids, "references": table.references})
    for name, cell in cells:
        asked = None if cell.amount is None else dict([cell.amount])
        yield _line({"method": name, "asked": asked, "answers": cell.answers})


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"
