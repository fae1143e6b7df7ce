"""Tables of a report that has been written, read back from its JSON: a report needs the runs' folders only once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastadasp.errors import InputError
from fastadasp.files.json_text import JsonError, parse, read_json
from fastadasp.files.records import record
from fastadasp.files.text import read_lines, short
from fastadasp.report.blocks import blocks
from fastadasp.report.families import FAMILIES
from fastadasp.report.tables import FULL_TOKENS, Cell, Table
from fastadasp.statistics.intervals import Interval

ANSWERS = ".answers.jsonl"
FULL = FULL_TOKENS.replace(" ", "_")
_OWN = ("asked", "score", "difference_from_full_tokens", "on_pareto_front", "missed")
"""Keys of a cell that are no facts of its run."""


@dataclass(frozen=True)
class _Cell:
    score: Interval
    fingerprint: str
    quality: Mapping[str, object]
    asked: Mapping[str, float] | None = None
    difference_from_full_tokens: Interval | None = None
    audio_tokens_removed: float | None = 0.0
    flops_paper_saved: float = 0.0
    kv_bytes_saved: float = 0.0
    settings: Mapping[str, object] = field(default_factory=dict)
    layers: tuple[Mapping[str, float], ...] = ()
    measured: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Table:
    """What is read of a report's JSON; a file may hold more."""

    task: str
    model: str
    objective: str
    higher_is_better: bool
    examples: int
    rows: Mapping[str, object]
    conditions: str = ""
    percent: bool = False
    place: int = 100
    families: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)


def described(table: Table) -> dict[str, Any]:
    """A table as JSON."""
    marks: dict[str, dict[str, bool]] = {}
    for block in blocks(table):
        front = {cell.name for cell in block.front()}
        for cell in (cell for cells in block.rows.values() for cell in cells):
            marks[cell.name] = {"on_pareto_front": cell.name in front, "missed": block.missed(cell)}
    names = ("task", "model", "conditions", "objective", "higher_is_better", "percent", "place", "examples", "families")
    return {
        **{name: getattr(table, name) for name in names},
        FULL: None if table.full is None else table.full.described(),
        "rows": {
            name: [{**cell.described(), **marks[cell.name]} for cell in cells] for name, cells in table.rows.items()
        },
        "provenance": table.provenance,
    }


def find_tables(roots: Iterable[Path]) -> list[tuple[Table, Mapping[str, str]]]:
    """The tables of written reports in and under the folders, each with what could not be run, by the tasks' places."""
    files = sorted({file for root in roots for file in root.rglob(f"*{ANSWERS}")})
    found = [read_table(file.with_name(f"{file.name.removesuffix(ANSWERS)}.json")) for file in files]
    return sorted(found, key=lambda pair: pair[0].place)


def read_table(file: Path) -> tuple[Table, Mapping[str, str]]:
    """The table in a report's JSON, with the answers beside it. InputError for what no report can have written."""
    content = read_json(file)
    answers = file.with_name(f"{file.stem}{ANSWERS}")
    ids, references, given = _answers(answers)
    try:
        head = record(_Table, content, others=True)
        if wrong := set(head.families.values()) - set(FAMILIES):
            raise JsonError(f"families must be among {', '.join(FAMILIES)}, got {short(sorted(wrong))}")
        full = content.get(FULL)
        rows = {}
        for name, cells in head.rows.items():
            if not isinstance(cells, list):
                raise JsonError(f"rows.{short(name)} must be a list")
            rows[name] = [_cell(cell, given, name) for cell in cells]
        table = Table(
            head.task, head.model, head.objective, head.higher_is_better, head.examples,
            None if full is None else _cell(full, given, FULL_TOKENS), rows, head.conditions, head.percent,
            head.families, ids, references, head.provenance, head.place,
        )  # fmt: skip
    except JsonError as error:
        raise InputError(f"{short(file)} is not what a report writes: {error}; write the report anew") from error
    return table, head.not_run


def _cell(content: Any, answers: Mapping[str, list[str]], row: str) -> Cell:
    known = record(_Cell, content, others=True)
    amount = next(iter(known.asked.items())) if known.asked else None
    facts = {key: value for key, value in content.items() if key not in _OWN}
    return Cell(
        amount, known.score, known.difference_from_full_tokens, facts, answers.get(_place(row, known.asked), [])
    )


def _answers(file: Path) -> tuple[list[str], list[str], dict[str, list[str]]]:
    """Ids, references and, by place in the table, answers; all empty without the file."""
    if not file.is_file():
        return [], [], {}
    try:
        lines: Iterator[Any] = (parse(line) for _, line in read_lines(file) if line)
        first = next(lines)
        given = {_place(line["method"], line["asked"]): list(line["answers"]) for line in lines}
        return list(first["ids"]), list(first["references"]), given
    except (JsonError, KeyError, TypeError, StopIteration) as error:
        raise InputError(
            f"{short(file)} is not what a report writes ({short(error)}); write the report anew"
        ) from error


def _place(row: str, asked: Mapping[str, float] | None) -> str:
    return f"{row}\n{sorted((asked or {}).items())}"
