"""All that a report is made of, from folders with runs, with written reports, or with both."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastadasp.errors import InputError
from fastadasp.files.text import short
from fastadasp.report.pictures.layers import find_selections
from fastadasp.report.runs import Run, finished, names
from fastadasp.report.stored import find_tables
from fastadasp.report.tables import Table
from fastadasp.report.tabulate import tabulate


@dataclass(frozen=True)
class Gathered:
    """The content of a report."""

    tables: Sequence[Table]
    runs: Sequence[Run] = ()
    problems: dict[str, str] = field(default_factory=dict)
    """What a written report could not run, with the reasons."""
    selections: Mapping[str, Any] = field(default_factory=dict)
    """Choices of layers, by folder."""
    maps: Sequence[Any] = ()
    """Merge maps."""


def gather(roots: Sequence[Path], trusted: Collection[str] = (), resamples: int = 2000) -> Gathered:
    """Tables of the runs in and under the folders, then those of written reports; InputError if there are none.

    trusted: as in Run. resamples: for the intervals of runs; written reports have theirs.
    """
    runs = finished(roots, trusted)
    stored = find_tables(roots)
    if not runs and not stored:
        raise InputError(
            f"no finished run (metrics.json) and no written report under {short(', '.join(map(str, roots)))}"
        )
    tables = tabulate(runs, names(runs), resamples) if runs else []
    problems = {name: problem for _, found in stored for name, problem in found.items()}
    return Gathered([*tables, *(table for table, _ in stored)], runs, problems, find_selections(roots))
