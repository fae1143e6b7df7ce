"""Which trials are at work: a process says so while it lives, and what a dead one has left goes to the next one."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

BEAT_S = 15.0
SILENCE_S = 120.0
"""Seconds without a sign after which a process of another machine is taken for dead. Clocks may differ by less."""
MOST_RETRIES = 3
"""How often a point is tried again whose process ended without a word: it may be the point that ends it."""

BEAT, WORKER, RETRIES, PROBLEM = "beat", "worker", "retries", "problem"
DISCARDED = "discarded"
"""Attributes of trials."""
GIVEN_BACK = "given back"
"""What DISCARDED says of a trial whose point another one has taken over."""


@contextmanager
def at_work(study: "Study", trial: "Trial") -> Iterator[None]:
    """Say every few seconds that the trial is being worked on; give it back if an error leaves the block."""
    trial.set_user_attr(WORKER, [socket.gethostname(), os.getpid()])
    trial.set_user_attr(BEAT, time.time())
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            trial.set_user_attr(BEAT, time.time())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        over.set()
        thread.join()
        give_back(study, study.get_trials(deepcopy=False)[trial.number], counted=False)
        raise
    finally:
        over.set()
        thread.join()


def take_over(study: "Study") -> int:
    """Queue anew what dead processes were working on; returns how many trials that were."""
    from optuna.trial import TrialState

    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return sum(give_back(study, trial) for trial in running if not alive(trial))


def give_back(study: "Study", trial: "FrozenTrial", counted: bool = True) -> bool:
    """End a trial and queue its point anew; false where another process was faster, or where it was tried too often."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    retries = int(trial.user_attrs.get(RETRIES, 0)) + counted
    try:
        study._storage.set_trial_user_attr(trial._trial_id, *_last_word(retries))
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, UpdateFinishedTrialError):
        return False
    if retries > MOST_RETRIES:
        return False
    study.enqueue_trial(trial.params, user_attrs={RETRIES: retries})
    return True


def _last_word(retries: int) -> tuple[str, Any]:
    if retries > MOST_RETRIES:
        return PROBLEM, f"its process ended {retries} times without a word (out of memory?)"
    return DISCARDED, GIVEN_BACK


def alive(trial: "FrozenTrial") -> bool:
    """Whether the process that works on a trial still does."""
    host, number = trial.user_attrs.get(WORKER, (None, 0))
    if host == socket.gethostname() and not _exists(number):
        return False
    started = 0.0 if trial.datetime_start is None else trial.datetime_start.timestamp()
    return time.time() - float(trial.user_attrs.get(BEAT, started)) < SILENCE_S


def _exists(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
