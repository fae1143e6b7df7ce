"""A sweep from what its command line says: its study, its processes, and what it found."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.config.fingerprint import fingerprint
from fastadasp.errors import ConfigError, InputError
from fastadasp.evaluation.logged import AT_BUDGET
from fastadasp.sweep.distributions import Choice
from fastadasp.sweep.file import Goal, Method, Sweep, read_sweep
from fastadasp.sweep.lifeline import DISCARDED, PROBLEM
from fastadasp.sweep.sampling import Seeded
from fastadasp.sweep.search import OUT_OF_REACH, POINT, Wanted, taken, work
from fastadasp.sweep.space import configured, size, space
from fastadasp.sweep.storage import JOURNAL, open_study

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

TIMED = ("_s", "rtf", "_mfu", "_mbu", "energy_j", "per_s")
"""Ends of the names of numbers that are measured with a clock."""


class SweepError(InputError):
    """Some points of a sweep failed."""


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    file: Path
    overrides: tuple[str, ...]
    objectives: tuple[str, ...] = ()
    """Each `NAME` or `NAME:maximize`; empty for the file's metric."""
    storage: str | None = None
    count: int | None = None
    seed: int = 0
    workers: int = 1
    prune: tuple[int, ...] = ()
    helper: bool = False
    """Whether another command of this machine has started this one, and tells what was found."""


def sweep(asked: Asked) -> "Study":
    """Run a sweep, or what is left of it, and print what was found. Raises SweepError if points failed."""
    wanted, name, url = _wanted(asked)
    study = open_study(url, name, wanted.goals)
    study.sampler = _sampler(asked, wanted)
    began = datetime.now()
    if not asked.helper:
        print(f"Sweep {name}: {wanted.count} points by {wanted.sweep.method.value}, kept in {_shown(url)}", flush=True)

    def tell(trial: "FrozenTrial") -> None:
        if line := _line(trial, wanted.goals):
            print(f"[{len(taken(study, began))}/{wanted.count}] {line}", flush=True)

    others = _start(asked, url)
    try:
        work(study, wanted, tell, began)
        for other in others:
            other.wait()
        work(study, wanted, tell, began)  # what a process that died has left
    finally:
        for other in others:
            other.terminate()
    if not asked.helper:
        _conclude(study, wanted, began)
    return study


def _sampler(asked: Asked, wanted: Wanted) -> Seeded:
    cfg = compose(*wanted.sweep.settings, *asked.overrides, hydra=True)
    return Seeded(
        wanted.sweep.method,
        space(wanted.sweep),
        asked.seed,
        startup(wanted.count),
        first=configured(wanted.sweep, cfg),
        pruned=bool(asked.prune),
    )


def startup(count: int) -> int:
    """How many points of a Bayesian search of `count` points are spread out before earlier results guide it."""
    return max(3, min(10, count // 4))


def _wanted(asked: Asked) -> tuple[Wanted, str, str]:
    """What is to be done, under which name, and where it is kept."""
    read = read_sweep(asked.file)
    cfg = compose(*read.settings, *asked.overrides, hydra=True)
    goals = tuple(map(_goal, asked.objectives)) or (read.goal or _of_task(cfg.task),)
    points = read.grid() if read.method is Method.grid else []
    count = asked.count or read.run_cap or len(points)
    if not count:
        raise ConfigError(
            f"{asked.file}: method {read.method.value} has no end; say how many points to try: run_cap: 40 in it, "
            "or --count 40"
        )
    if asked.prune and len(goals) > 1:
        raise ConfigError("--prune compares runs by one number; give one objective, or leave --prune out")
    if any(goal.name == AT_BUDGET for goal in goals) and cfg.logged.flops_budget is None:
        raise ConfigError(f"{AT_BUDGET} needs logged.flops_budget, such as logged.flops_budget=0.3")
    share = not any(goal.name.endswith(TIMED) for goal in goals)
    count = int(min(count, size(space(read))))
    wanted = Wanted(read, goals, asked.overrides, count, asked.prune, share, points)
    name = f"{read.name}-{_digest(read, wanted, fingerprint(cfg))}"
    return wanted, name, asked.storage or f"{JOURNAL}{cfg.output_dir}/sweeps/{name}.journal"


def _of_task(node: DictConfig) -> Goal:
    task = build(node, "task")
    return Goal(task.objective, task.higher_is_better)


def _goal(text: str) -> Goal:
    name, _, goal = text.partition(":")
    if goal not in ("", "minimize", "maximize"):
        raise ConfigError(f"--objective {text}: after the colon stands minimize or maximize, such as accuracy:maximize")
    return Goal(name, goal == "maximize")


def _digest(read: Sweep, wanted: Wanted, settings: str) -> str:
    """Changes with everything by which trials of another sweep would be mixed into this one.

    settings: the fingerprint of the settings that all runs have, and with it of files and code.
    """
    values = {key: [one.at((n + 0.5) / 16) for n in range(16)] for key, one in read.parameters.items()}
    listed = {key: one.listed for key, one in read.parameters.items() if isinstance(one, Choice)}
    drawn = space(read)  # trials with other parameters cannot be read
    text = repr((read.method.value, values, listed, drawn, wanted.goals, wanted.prune, wanted.share, settings))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _start(asked: Asked, url: str) -> list["subprocess.Popen[bytes]"]:
    """The other processes, one for each further worker: each the same command with one worker, on a GPU of its own."""
    command = [sys.executable, "-m", "fastadasp", "sweep", str(asked.file), "--storage", url, "--seed", str(asked.seed)]
    command += ["--helper"]
    command += [part for text in asked.objectives for part in ("--objective", text)]
    command += [] if asked.count is None else ["--count", str(asked.count)]
    command += ["--prune", ",".join(map(str, asked.prune))] if asked.prune else []
    known = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    gpus = known.split(",") if known else [str(number) for number in range(_gpus())] if asked.workers > 1 else []
    started = []
    for number in range(1, asked.workers):
        own = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
        started.append(subprocess.Popen([*command, "--", *asked.overrides], env={**os.environ, **own}))
    if started and gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[0]
    return started


def _gpus() -> int:
    """How many GPUs there are, without starting CUDA in this process."""
    import torch

    return torch.cuda.device_count()


def _conclude(study: "Study", wanted: Wanted, began: datetime) -> None:
    done = taken(study, began)
    failed = [point for point, trial in done.items() if PROBLEM in trial.user_attrs]
    if others := sum(not trial.state.is_finished() for trial in done.values()):
        print(
            f"Other processes are still at work on {others} of these points; the same command tells when they are done"
        )
    for trial in best(study):
        print(f"Best: {_line(trial, wanted.goals)}")
        print(f"      fastadasp run {' '.join((*wanted.sweep.settings, *trial.user_attrs[POINT], *wanted.overrides))}")
    if failed:
        raise SweepError(
            f"{len(failed)} of {wanted.count} points failed, each for the reason that stands above: "
            f"{'; '.join(' '.join(point) for point in failed[:3])}. Mend it, and the same command runs them alone"
        )


def best(study: "Study") -> "list[FrozenTrial]":
    """The best point, or with several objectives those that no other point beats in all of them, each once."""
    from optuna.trial import TrialState

    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return []
    found = [study.best_trial] if len(study.directions) == 1 else study.best_trials
    return list({tuple(trial.user_attrs[POINT]): trial for trial in reversed(found)}.values())[::-1]


def _line(trial: "FrozenTrial", goals: Sequence[Goal]) -> str:
    """What became of a trial; empty for one that was discarded."""
    point = "" if DISCARDED in trial.user_attrs else " ".join(trial.user_attrs.get(POINT, ()))
    for attribute, what in ((PROBLEM, "failed"), (OUT_OF_REACH, "not run")):
        if attribute in trial.user_attrs:
            return f"{point}: {what}: {trial.user_attrs[attribute]}"
    if trial.values is None or not point:
        return f"{point}: given up" if point and trial.state.name == "PRUNED" else ""
    return f"{point}: " + ", ".join(f"{goal.name} {value:.4g}" for goal, value in zip(goals, trial.values, strict=True))


def _shown(url: str) -> str:
    kind, sign, place = url.partition("://")
    return f"{kind}{sign}{place.rpartition('@')[2]}"
