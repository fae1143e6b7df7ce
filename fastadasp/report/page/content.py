"""What stands on the page, section by section, from what was gathered."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastadasp.report.blocks import Block, blocks
from fastadasp.report.gather import Gathered
from fastadasp.report.layouts.entries import Row, heading, rows
from fastadasp.report.layouts.markdown import APART, MISSED
from fastadasp.report.page.interactive import figure
from fastadasp.report.pictures.charts import Bars, Chart, HeatMap
from fastadasp.report.pictures.layers import cache_per_layer, entropy_curves, heat_maps, tokens_per_layer
from fastadasp.report.pictures.quality import quality_against_cost
from fastadasp.report.pictures.time import calibration, where_time_goes
from fastadasp.report.tables import FULL_TOKENS, Table


@dataclass(frozen=True)
class Picture:
    """One chart of the page."""

    title: str
    note: str
    spec: dict[str, Any]
    """For plotly.js."""
    methods: Sequence[str] = ()
    """Lines that buttons below the chart bring to the fore."""


@dataclass(frozen=True)
class Part:
    """The methods of a table that save the same resource."""

    title: str
    unit: str
    columns: Sequence[str]
    rows: Sequence[Row]
    picture: Picture


@dataclass(frozen=True)
class Section:
    """One table of the report."""

    table: Table
    parts: Sequence[Part]
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Content:
    """Everything on the page."""

    title: str
    sections: Sequence[Section]
    choices: Sequence[Picture] = ()
    """Pictures of layer choices."""
    maps: Sequence[Any] = ()
    problems: dict[str, str] = field(default_factory=dict)
    clips: Sequence[dict[str, Any]] = ()
    """Of each table with answers, what the comparison clip by clip needs."""
    missed: str = MISSED


def content(gathered: Gathered, title: str, chosen: Collection[str] = ()) -> Content:
    """The page of all tables. chosen: methods to label besides those on the front."""
    sections = [_section(table, chosen) for table in gathered.tables]
    choices = [_picture(chart) for chart in entropy_curves(gathered.selections)]
    clips = [found for table in gathered.tables if (found := _clips(table)) is not None]
    return Content(title or "Token reduction", sections, choices, gathered.maps, gathered.problems, clips)


def _section(table: Table, chosen: Collection[str]) -> Section:
    found = blocks(table)
    parts = []
    for block in found:
        picture = _picture(quality_against_cost(block, chosen))
        columns = list(map(heading, block.columns)) or ["score"]
        parts.append(Part(APART[block.resource], block.unit, columns, rows(block), picture))
    pictures = [_picture(one) for block in found for one in _further(block)]
    return Section(table, parts, pictures)


def _further(block: Block) -> Iterator[Chart | HeatMap | Bars]:
    """Pictures besides the scores, those that the results are there for."""
    yield from heat_maps(block)
    if not block.columns:
        return
    middle = block.columns[len(block.columns) // 2]
    for drawn in (tokens_per_layer, cache_per_layer):
        chart = drawn(block, middle)
        if chart.lines:
            yield chart
    bars = where_time_goes(block, middle)
    if bars.parts:
        yield bars
    if (chart_of_seconds := calibration(block)) is not None:
        yield chart_of_seconds


def _picture(picture: Chart | HeatMap | Bars) -> Picture:
    methods = [line.name for line in picture.lines] if isinstance(picture, Chart) and len(picture.lines) > 1 else []
    return Picture(picture.title, picture.note, figure(picture), methods)


def _clips(table: Table) -> dict[str, Any] | None:
    """Answers of all runs, for the comparison of any two; None where they are not at hand."""
    if not table.ids or table.full is None or not table.full.answers:
        return None
    runs = [{"name": FULL_TOKENS, "answers": table.full.answers}]
    for name, cells in table.rows.items():
        runs += [
            {"name": f"{name}, {heading(cell.amount)}", "answers": cell.answers}
            for cell in cells
            if cell.amount is not None and cell.answers
        ]
    name = f"{table.task}, {table.model}" + (f", {table.conditions}" if table.conditions else "")
    return {"name": name, "ids": table.ids, "references": table.references, "runs": runs}
