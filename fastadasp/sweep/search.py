"""One process at work on a sweep: it takes a point, runs it or reads it, tells the storage, and takes the next one."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from fastadasp.config.compose import compose_run
from fastadasp.errors import ConfigError, OutOfReachError
from fastadasp.evaluation.logged import numbers
from fastadasp.evaluation.setup import validate
from fastadasp.evaluation.store import METRICS, BusyError, RunStore
from fastadasp.grid.runner import QUIET, Runner, problem
from fastadasp.process.signals import stop_if_told
from fastadasp.sweep.file import Goal, Method, Point, Sweep
from fastadasp.sweep.lifeline import DISCARDED, PROBLEM, alive, at_work, take_over
from fastadasp.sweep.space import as_params, settings, space

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

POINT, OUT_OF_REACH = "point", "out_of_reach"
WAIT_S = 2.0
"""Between two looks at a point that another process is running."""


@dataclass(frozen=True)
class Wanted:
    """What a sweep is to do, from its file and the command line."""

    sweep: Sweep
    goals: tuple[Goal, ...]
    overrides: tuple[str, ...]
    """Settings of all runs, from the command line."""
    count: int
    """How many different points the sweep has in the end, of all processes together."""
    prune: tuple[int, ...] = ()
    """Numbers of clips after which a run is given up if its score is bad."""
    share: bool = True
    """Keep the model from run to run; not where times are searched by."""
    points: list[Point] = field(default_factory=list)
    """All points of a grid."""


Tell = Callable[["FrozenTrial"], None]


def work(study: "Study", wanted: Wanted, tell: Tell, began: datetime) -> None:
    """Run points until the sweep has all that it is to have. Failed points of this call are not tried again by it.

    tell: hears of each trial when it is done. began: when the command began: what has failed before is tried again.
    """
    runner = Runner(wanted.share)
    while True:
        stop_if_told()
        take_over(study)
        if (trial := _next(study, wanted, began)) is None:
            return
        with at_work(study, trial):
            _try(study, trial, wanted, runner, began)
        tell(study.get_trials(deepcopy=False)[trial.number])


def taken(study: "Study", began: datetime, before: int | None = None) -> dict[Point, "FrozenTrial"]:
    """The points that are done, given up, failed since `began`, or at work, each with the trial that counts.

    before: only trials with a lower number.
    """
    from optuna.trial import TrialState

    found: dict[Point, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False)[:before]:
        point = tuple(trial.user_attrs.get(POINT, ()))
        final = trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or OUT_OF_REACH in trial.user_attrs
        failed = PROBLEM in trial.user_attrs and trial.datetime_complete is not None
        recent = failed and trial.datetime_complete >= began  # type: ignore[operator]
        if (
            point
            and DISCARDED not in trial.user_attrs
            and (final or recent or (trial.state is TrialState.RUNNING and alive(trial)))
        ):
            found.setdefault(point, trial)
    return found


def _next(study: "Study", wanted: Wanted, began: datetime) -> "Trial | None":
    from optuna.trial import TrialState

    done = taken(study, began)
    trials = study.get_trials(deepcopy=False)
    waiting = any(trial.state is TrialState.WAITING for trial in trials)
    if len(done) >= wanted.count or len(trials) >= MOST_DRAWS * wanted.count + len(done):
        return None
    if wanted.sweep.method is Method.grid and not waiting:
        left = next((point for point in wanted.points if point not in done), None)
        if left is None:
            return None
        study.enqueue_trial(as_params(left, wanted.sweep))
    elif not waiting and (failed := _failed_before(trials, began, done)) is not None:
        study.enqueue_trial(failed.params)
    return study.ask(space(wanted.sweep))


def _failed_before(
    trials: Sequence["FrozenTrial"], began: datetime, done: Mapping[Point, "FrozenTrial"]
) -> "FrozenTrial | None":
    """A trial that failed in an earlier command and has not been tried again."""
    for trial in trials:
        ended = trial.datetime_complete
        if PROBLEM in trial.user_attrs and ended is not None and ended < began:
            point = tuple(trial.user_attrs.get(POINT, ()))
            if point and point not in done:
                return trial
    return None


MOST_DRAWS = 10
"""How many trials there may be for each point: a random search may draw a point again, and so may processes at once."""


def _try(study: "Study", trial: "Trial", wanted: Wanted, runner: Runner, began: datetime) -> None:
    """Run the point of a trial and tell the storage what came of it."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    point = settings(trial.params, wanted.sweep)
    trial.set_user_attr(POINT, list(point))
    _wait_for_earlier(study, trial.number)
    done = taken(study, began, trial.number)
    known = done.get(point)
    if known is None and len(done) >= wanted.count:
        trial.set_user_attr(DISCARDED, "the sweep had all of its points")
        study.tell(trial, state=TrialState.FAIL)
        return
    if known is not None:
        trial.set_user_attr(DISCARDED, f"the point of trial {known.number}")
        study.tell(trial, state=TrialState.FAIL)
        return
    try:
        for clips in wanted.prune:
            (score,) = _values(runner, wanted, [*point, f"task.limit={clips}"])
            trial.report(score, clips)
            if trial.should_prune():
                raise TrialPruned
        study.tell(trial, _values(runner, wanted, point))
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except OutOfReachError as error:
        trial.set_user_attr(OUT_OF_REACH, str(error))
        study.tell(trial, state=TrialState.FAIL)
    except Exception as error:
        trial.set_user_attr(PROBLEM, problem(error, " ".join(point)))
        study.tell(trial, state=TrialState.FAIL)


def _wait_for_earlier(study: "Study", number: int) -> None:
    """Wait until all earlier trials that are at work have said what their points are, which takes them a moment."""
    from optuna.trial import TrialState

    for _ in range(100):
        earlier = study.get_trials(deepcopy=False)[:number]
        if all(POINT in trial.user_attrs for trial in earlier if trial.state is TrialState.RUNNING and alive(trial)):
            return
        time.sleep(0.1)


def _values(runner: Runner, wanted: Wanted, point: Sequence[str]) -> list[float]:
    """The numbers that are searched by, of one run: done now, or read where it was done before."""
    cfg, folder = compose_run([*QUIET, *wanted.sweep.settings, *point, *wanted.overrides])
    setup = validate(cfg)
    for _ in _patiently():
        try:
            runner.evaluate(cfg, setup)
            break
        except BusyError:
            continue
    store = RunStore(folder)
    metrics, cost = store.read(METRICS) or {}, store.read("cost.json") or {}
    found = numbers(metrics, cost, setup.task.higher_is_better, setup.logged.flops_budget)
    if missing := [goal.name for goal in wanted.goals if goal.name not in found]:
        raise ConfigError(f"a run has no number {missing[0]}; it has {', '.join(sorted(found))}")
    return [float(found[goal.name]) for goal in wanted.goals]


def _patiently() -> Iterator[None]:
    while True:
        stop_if_told()
        yield
        time.sleep(WAIT_S)
