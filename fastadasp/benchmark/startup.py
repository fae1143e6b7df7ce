"""How long it takes until something happens: imports, the command line, a loaded model, whole evaluations."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from fastadasp.benchmark.base import Benchmark
from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import ConfigError, InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from fastadasp.evaluation.hardware import Hardware


@dataclass(frozen=True)
class StartUp(Benchmark):
    """Each command runs in a process of its own. `quick`: once."""

    imports: list[str] = field(default_factory=list)
    """Modules to import."""
    loads: dict[str, list[str]] = field(default_factory=dict)
    """Models to load: command lines as for run.py by the name of their row."""
    evaluations: dict[str, list[str]] = field(default_factory=dict)
    """Command lines of run.py by the name of their row."""
    repeats: int = 3
    """Of which medians are taken."""

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ConfigError(f"benchmark.repeats must be at least 1, got {self.repeats}")

    def run(self, cfg: "DictConfig", hardware: "Hardware") -> None:
        """Measure, print tables, and leave `results.json` in Hydra's output folder.

        The evaluations name `hardware` on their own command lines. A benchmark that was broken off goes on where it
        stopped; a finished one is measured anew.
        """
        from hydra.core.hydra_config import HydraConfig
        from rich.console import Console
        from rich.table import Table

        from fastadasp.benchmark.journal import Journal
        from fastadasp.evaluation.hardware import resolve
        from fastadasp.evaluation.store import RunStore
        from fastadasp.measuring.provenance import provenance

        commands = {
            **{f"import {module}": ["-c", f"import {module}"] for module in self.imports},
            "fastadasp run --help": ["-m", "fastadasp", "run", "--help"],
        }
        facts = {"provenance": provenance(resolve(hardware)), "config": asdict(self)}
        folder = Path(HydraConfig.get().runtime.output_dir)
        unfinished = folder / "cases.jsonl"
        with RunStore(folder).locked():
            once = Journal(unfinished, hardware).once
            seconds = {
                name: once(["command", name], partial(self._command, command)) for name, command in commands.items()
            }
            loads = {name: once(["load", name], partial(self._load, row)) for name, row in self.loads.items()}
            evaluations = {
                name: once(["evaluation", name], partial(self._evaluate, row)) for name, row in self.evaluations.items()
            }
            results = facts | {"seconds": seconds, "loads": loads, "evaluations": evaluations}
            (folder / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
            unfinished.unlink(missing_ok=True)
        console, starts = Console(markup=False, emoji=False), Table("start", "seconds")
        for name, taken in seconds.items():
            starts.add_row(name, f"{taken:.2f}")
        for name, load in loads.items():
            starts.add_row(f"load {name}, from the start of the process", f"{load['whole_s']:.2f}")
            starts.add_row(f"load {name}, alone", f"{load['load_s']:.2f}")
        console.print(starts)
        runs = Table("evaluation", "whole s", "computing s", "examples/s", "RTF", "ms per step")
        for name, cost in evaluations.items():
            columns = (
                cost["whole_s"],
                cost["compute_s"],
                cost["examples_per_s"],
                cost["rtf"],
                cost["decode_step_s"] * 1e3,
            )
            runs.add_row(name, *(f"{value:.3g}" for value in columns))
        console.print(runs)
        console.print(f"Results: {folder}", soft_wrap=True, highlight=False)

    @property
    def _rounds(self) -> int:
        return 1 if self.quick else self.repeats

    def _command(self, command: Sequence[str]) -> float:
        """Median of its wall-clock seconds."""
        return median(_seconds(command) for _ in range(self._rounds))

    def _load(self, overrides: Sequence[str]) -> dict[str, float]:
        """Medians of a process that loads a model and ends, and of the loading in it."""
        whole_s, load_s = [], []
        for _ in range(self._rounds):
            with tempfile.TemporaryDirectory() as folder:
                told = Path(folder) / "load.json"
                whole_s.append(_seconds(["-m", "fastadasp.benchmark.load", str(told), *overrides]))
                load_s.append(json.loads(told.read_text(encoding="utf-8"))["load_s"])
        return {"whole_s": median(whole_s), "load_s": median(load_s)}

    def _evaluate(self, overrides: Sequence[str]) -> dict[str, Any]:
        """Medians of what evaluations of `overrides` measured of themselves, and of their whole duration."""
        taken: list[dict[str, float]] = []
        for _ in range(self._rounds):
            with tempfile.TemporaryDirectory() as folder:  # a new one each time, or there would be nothing left to do
                command = ["-m", "fastadasp", "run", f"hydra.run.dir={folder}", "logger=none", *overrides]
                whole_s = _seconds(command)
                cost = json.loads((Path(folder) / "cost.json").read_text(encoding="utf-8"))
                taken.append({**cost, "whole_s": whole_s})
        return {name: median(run[name] for run in taken) for name in taken[0]}


def _seconds(command: Sequence[str]) -> float:
    """Wall-clock time of a Python process; InputError with what it said if it fails."""
    began = time.perf_counter()
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]  # it need not be installed
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise InputError(f"`python {' '.join(command)}` failed:\n{done.stderr.strip()[-2000:]}")
    return time.perf_counter() - began
