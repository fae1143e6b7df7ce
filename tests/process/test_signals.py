"""A signal ends a process in order: blocks are left, handlers come back, and Slurm is asked where it has told us."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastadasp.config.messages import readable_errors
from fastadasp.config.paths import REPOSITORY
from fastadasp.process import signals
from fastadasp.process.signals import Stopped, handlers, requeue, restore, stop_if_told, stoppable


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    known = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    yield
    for number, handler in known.items():
        signal.signal(number, handler)
    signals.lead(True)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_block_with_the_status_that_shells_give_it(number: int, status: int) -> None:
    before, left = signal.getsignal(number), []
    with pytest.raises(SystemExit) as ended, stoppable():
        try:
            os.kill(os.getpid(), number)
        finally:
            left.append(True)
    assert ended.value.code == status and left == [True]
    assert signal.getsignal(number) is before


def test_handlers_of_others_and_ignored_signals_stay() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert heard == [signal.SIGTERM]


def test_a_notebook_keeps_its_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), stoppable(by_interrupt=False):
        os.kill(os.getpid(), signal.SIGINT)


def test_blocks_may_stand_in_each_other_and_in_other_threads() -> None:
    with stoppable():
        outer = signal.getsignal(signal.SIGTERM)
        with stoppable():
            assert signal.getsignal(signal.SIGTERM) is outer
        assert signal.getsignal(signal.SIGTERM) is outer
        failed: list[BaseException] = []

        def elsewhere() -> None:
            try:
                with stoppable():
                    pass
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert not failed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_drops_in_a_destructor_is_heard_at_the_next_piece_of_work() -> None:
    class Dropped:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped), stoppable():
        dropped = Dropped()
        del dropped
        stop_if_told()
    with pytest.raises(Stopped):  # until the next block begins
        stop_if_told()
    with stoppable():
        stop_if_told()


@pytest.mark.parametrize("made_of_it", [ImportError("broken off"), SystemExit(1), None])
def test_a_command_ends_by_the_signal_whatever_a_library_makes_of_it(
    made_of_it: BaseException | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, readable_errors():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except SystemExit:
            raise made_of_it or Stopped(signal.SIGTERM) from None
    assert ended.value.code == 143
    assert capsys.readouterr().err.startswith("Stopped by SIGTERM.")


def test_handlers_that_a_library_has_replaced_are_put_back() -> None:
    with stoppable():
        known = handlers()
        signal.signal(signal.SIGTERM, lambda *_: None)
        restore(known)
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_inside_a_destructor_is_not_printed_but_ends_the_next_piece_of_work(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying:
        def __init__(self, number: int) -> None:
            self.number = number

        def __del__(self) -> None:
            os.kill(os.getpid(), self.number)
            _ = 1 / (self.number - signal.SIGURG)

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # pytest keeps what it is told
    with stoppable():
        del [Dying(signal.SIGURG)][0]
        assert "ZeroDivisionError" in capfd.readouterr().err, "other errors are told"
        del [Dying(signal.SIGTERM)][0]
        with pytest.raises(Stopped):
            stop_if_told()
    assert capfd.readouterr().err == ""
    assert sys.unraisablehook is sys.__unraisablehook__


def test_a_forked_process_dies_of_the_signal_as_any_other() -> None:
    script = (
        "import os, signal, sys\n"
        "from fastadasp.process.signals import stoppable\n"
        "with stoppable():\n"
        "    read, write = os.pipe()\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        os.write(write, b'!')\n"
        "        signal.pause()\n"
        "    os.read(read, 1)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.split() == ["-15"]


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Slurm of one command, which notes what it is called with and then ends with the status in a file."""
    program, called = tmp_path / "scontrol", tmp_path / "called"
    program.write_text(f'#!/bin/sh\necho "$@" >> {called}\necho no such job >&2\nexit $(cat {tmp_path}/status)\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "status").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    return called


def test_slurms_notice_ends_the_block_only_inside_slurm(scontrol: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Stopped) as ended, stoppable():
        os.kill(os.getpid(), signal.SIGUSR1)
    assert ended.value.signal is signals.REQUEUE and ended.value.code == 138
    monkeypatch.delenv("SLURM_JOB_ID")
    before = signal.getsignal(signal.SIGUSR1)
    with stoppable():
        assert signal.getsignal(signal.SIGUSR1) is before


def test_the_job_is_put_back_into_the_queue_as_a_member_of_its_array(
    scontrol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert requeue() == "Slurm has requeued job 4711."
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "4700")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "11")
    assert requeue() == "Slurm has requeued job 4700_11."
    assert scontrol.read_text().split("\n")[:2] == ["requeue 4711", "requeue 4700_11"]


def test_what_slurm_refuses_and_a_slurm_that_is_not_there_are_said(
    scontrol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "status").write_text("1")
    assert requeue() == "Slurm did not requeue job 4711 (no such job); submit the job again."
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "could not be asked to requeue job 4711" in requeue()


def test_of_several_processes_of_a_run_the_first_one_asks(scontrol: Path) -> None:
    signals.lead(False)
    requeue()
    assert not scontrol.exists()
