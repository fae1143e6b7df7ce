"""Finished runs, read back from their folders."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fastadasp.errors import InputError
from fastadasp.evaluation.store import RunStore
from fastadasp.files.text import short
from fastadasp.reduction.amount import KINDS, amount
from fastadasp.report.metrics import known_task, read_metrics
from fastadasp.tasks.base import Prediction, Task


@dataclass(frozen=True)
class Run:
    """One finished run."""

    folder: Path
    metrics: Mapping[str, Any]
    """The content of its `metrics.json`."""
    trusted: Collection[str] = ()
    """Modules besides `fastadasp.tasks` whose tasks may be built."""

    @classmethod
    def read(cls, folder: Path, trusted: Collection[str] = ()) -> "Run":
        """The run in `folder`; InputError if it is not finished, or damaged."""
        return cls(folder, read_metrics(folder), trusted)

    @property
    def group(self) -> tuple[str, str]:
        """Task and model: runs that differ in either are not compared."""
        return self.metrics["task"], self.metrics["model"]

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The `merge` node of its config."""
        settings: Mapping[str, Any] = self.metrics["config"]["merge"]
        return settings

    @property
    def amount(self) -> tuple[str, float] | None:
        """How much it was asked to reduce, as key and value; None for full tokens."""
        given = amount({kind: self.settings.get(kind) or None for kind in KINDS})
        return None if given is None else (given.kind, given.value)

    @cached_property
    def measured(self) -> Mapping[str, float]:
        """The figures of its `cost.json`; empty without that file."""
        content = RunStore(self.folder).read("cost.json") or {}
        return {key: value for key, value in content.items() if type(value) in (int, float)}

    @property
    def headline(self) -> str:
        """Objective and FLOPs saved, in a few words."""
        objective = self.metrics["objective"]
        saved = self.metrics["cost"].get("flops_paper_saved", 0.0)
        return f"{objective} {self.metrics['quality'][objective]:.4f}, {saved:.1%} of the FLOPs saved"

    @cached_property
    def task(self) -> Task:
        """The task that it ran, ready to score; InputError for one that is not known."""
        try:
            return known_task(self.metrics["config"]["task"], self.trusted)
        except InputError as error:
            raise InputError(f"{short(self.folder)}: {error}") from error

    @cached_property
    def predictions(self) -> Sequence[Prediction]:
        """In the order of the task's examples; InputError where some are missing."""
        found = RunStore(self.folder).gathered()
        expected = self.metrics.get("examples", len(found))
        if not found or len(found) != expected:
            raise InputError(
                f"{short(self.folder)}: metrics.json was made of {expected} answers, predictions.jsonl holds "
                f"{len(found)}; copy the folder whole, or repeat the run's command"
            )
        return found


def find_runs(roots: Iterable[Path], trusted: Collection[str] = ()) -> list[Run]:
    """All finished runs in and under the given folders; InputError if there are none. trusted: as in Run."""
    roots = list(roots)
    found = finished(roots, trusted)
    if not found:
        raise InputError(f"no finished run (metrics.json) under {', '.join(map(str, roots))}")
    return found


def finished(roots: Iterable[Path], trusted: Collection[str] = ()) -> list[Run]:
    """As `find_runs`, but empty where there is none."""
    files = sorted({file for root in roots for file in root.rglob("metrics.json")})
    return [Run.read(file.parent, trusted) for file in files]


def names(runs: Sequence[Run]) -> dict[Path, str]:
    """A name for each run's folder: its method, and those of its settings in which runs of that method and task differ.

    Tasks have schedules of their own, which tell no two rows of a table apart.
    """
    found: dict[Path, str] = {}
    for merge, group in {(run.metrics["merge"], run.group) for run in runs}:
        alike = [run for run in runs if (run.metrics["merge"], run.group) == (merge, group)]
        keys = sorted({key for run in alike for key in run.settings} - {*KINDS, "_target_"})
        values = {key: {json.dumps(run.settings.get(key)) for run in alike} for key in keys}
        differing = [key for key in keys if len(values[key]) > 1]
        for run in alike:
            found[run.folder] = " ".join([merge, *(f"{key}={short(run.settings.get(key), 40)}" for key in differing)])
    return found
