"""Signals that end a process: SIGTERM, Ctrl-C, and the notice of Slurm that the time of a job is nearly up.

Each of them raises `Stopped`, so that `finally` blocks and context managers run, and ends the process with the status
128 + number that a shell reports of a process that a signal has ended: 143 for SIGTERM, 130 for Ctrl-C.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int | None
"""What `signal.getsignal` returns."""

REQUEUE: signal.Signals | None = getattr(signal, "SIGUSR1", None)
"""The signal by which `sbatch --signal=USR1@120` announces the end of a job's time; None on Windows."""

_UNTOUCHED = (signal.SIG_DFL, signal.default_int_handler)
"""Handlers that may be replaced: Python's own. Others belong to somebody, such as the launcher of a cluster's jobs."""

_received: signal.Signals | None = None
"""The signal that has told this process to end."""


_leads = True
"""Whether this process leads its run."""


class Stopped(SystemExit):
    """A signal has told this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


@contextmanager
def stoppable(by_interrupt: bool = True) -> Iterator[None]:
    """Inside the block, a signal to end raises `Stopped` in the main thread; the handlers of before come back after.

    by_interrupt: false leaves Ctrl-C as it is, for functions that a notebook may call.

    A handler that somebody else has set stays, and so does a signal that is ignored. Processes that are forked inside
    the block, such as data workers, get the default handlers back. In another thread the block changes nothing.
    """
    global _received
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ending() if by_interrupt or number is not signal.SIGINT}
    ours = {number: handler for number, handler in before.items() if handler in _UNTOUCHED}
    if ours:
        _received = None
    for number in ours:
        signal.signal(number, _stop)
    tell = sys.unraisablehook
    # Raised inside a destructor or a C library's callback, it is dropped there, and raised again by `stop_if_told`.
    sys.unraisablehook = lambda dropped: None if isinstance(dropped.exc_value, Stopped) else tell(dropped)
    try:
        yield
    finally:
        sys.unraisablehook = tell
        for number, handler in ours.items():
            signal.signal(number, handler)


def told_to_stop() -> Stopped | None:
    """What a signal has raised, if one has told this process to end.

    Whoever it was raised at may have made another error of it: a library whose import it broke off, for example.
    """
    return None if _received is None else Stopped(_received)


def stop_if_told() -> None:
    """Raise `Stopped` if a signal has told this process to end.

    For the start of each piece of work: an exception that a signal raises inside a destructor or a callback of the
    garbage collector is printed and dropped by Python.
    """
    if (stop := told_to_stop()) is not None:
        raise stop


def handlers() -> dict[int, Handler]:
    """The handlers of the signals to end, for `restore`."""
    return {number: signal.getsignal(number) for number in _ending()}


def restore(known: Mapping[int, Handler]) -> None:
    """Put back handlers that a library has replaced."""
    if threading.current_thread() is threading.main_thread():
        for number, handler in known.items():
            if handler is not None:  # None stands for a handler that was not set by Python
                signal.signal(number, handler)


def ignore_requeue() -> None:
    """Leave the notice that the job's time is nearly up to another process."""
    if REQUEUE is not None:
        signal.signal(REQUEUE, signal.SIG_IGN)


def name_of(number: int) -> str:
    """A signal's name, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def lead(leads: bool) -> None:
    """Say whether this process leads its run: of the tasks that share one, a single one asks for the job's return."""
    global _leads
    _leads = leads


def leads() -> bool:
    """Whether this process leads its run, as far as that has been said."""
    return _leads


def requeue() -> str:
    """Ask Slurm to put this job back into its queue; returns one sentence that says what came of that."""
    if not _leads:
        return "The first process of the run asks Slurm to requeue the job."
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID')}" if array else os.environ.get("SLURM_JOB_ID", "")
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"Slurm could not be asked to requeue job {job} ({error}); submit the job again."
    if done.returncode:
        return f"Slurm did not requeue job {job} ({done.stderr.strip() or done.returncode}); submit the job again."
    return f"Slurm has requeued job {job}."


def _ending() -> tuple[signal.Signals, ...]:
    in_slurm = REQUEUE is not None and "SLURM_JOB_ID" in os.environ
    return (signal.SIGTERM, signal.SIGINT, *((REQUEUE,) if in_slurm and REQUEUE is not None else ()))


def _stop(number: int, _: FrameType | None) -> None:
    global _received
    _received = signal.Signals(number)
    for other in _ending():  # what is being cleaned up is not disturbed, except by a second Ctrl-C
        if signal.getsignal(other) is _stop:
            signal.signal(other, signal.SIG_DFL if other is signal.SIGINT else signal.SIG_IGN)
    raise Stopped(number)


def _after_fork() -> None:
    for number in _ending():
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
