"""Processes that a run starts: none outlives it, and a death is told of at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fastadasp.evaluation import children
from fastadasp.evaluation.children import ProcessError, _ended_at_exit, _wait
from fastadasp.process.signals import Stopped, stoppable
from tests.helpers.configs import SMALLEST_MODEL
from tests.helpers.warm import RUN, Warm, warm

BUSY = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
DONE = "pass"
FAILING = "import sys; sys.exit(3)"
REPORTING = """print('{"problem": "the checkpoint lacks 3 weights"}'); import sys; sys.exit(1)"""
KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
ENDED = "import os, signal; os.kill(os.getpid(), signal.SIGUSR2)"


def start(script: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (KILLED, r"process 1 of 3 was killed \(SIGKILL\), as the system does when memory runs out"),
        (ENDED, r"process 1 of 3 was ended by a signal \(SIGUSR2\)"),
        (FAILING, r"process 1 of 3 ended with status 3; its error stands above"),
        (REPORTING, r"process 1 of 3 could not go on: the checkpoint lacks 3 weights"),
    ],
)
def test_the_first_that_fails_is_named_and_the_others_are_ended(script: str, message: str) -> None:
    with pytest.raises(ProcessError, match=message), _ended_at_exit() as started:
        started += [start(BUSY), start(script), start(DONE)]
        _wait(started)
    assert all(child.poll() is not None for child in started)


def test_all_that_end_well_are_waited_for() -> None:
    with _ended_at_exit() as started:
        started += [start("import time; time.sleep(0.3)"), start(DONE)]
        _wait(started)
        assert [child.poll() for child in started] == [0, 0]


def test_one_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "GRACE_S", 0.2)
    with _ended_at_exit() as started:
        started.append(start(DEAF))
        assert started[0].stdout is not None
        started[0].stdout.readline()
    assert started[0].returncode == -signal.SIGKILL


def test_a_signal_to_the_waiting_process_ends_the_others() -> None:
    with pytest.raises(Stopped), stoppable(), _ended_at_exit() as started:
        started.append(start(BUSY))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        previous = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        try:
            _wait(started)
        finally:
            signal.signal(signal.SIGALRM, previous)
    assert started[0].poll() is not None


@pytest.fixture
def two(tones: Path, tmp_path: Path) -> Iterator[Warm]:
    """`run.py` with two processes, on clips that take it a while."""
    command = [*SMALLEST_MODEL, "task=asr", f"task.manifest={tones}", "hardware=cpu", "hardware.batch_size=1"]
    command += ["hardware.trainer.devices=2", "generation.max_new_tokens=400", f"output_dir={tmp_path}/out"]
    with warm(RUN, *command, cwd=tmp_path) as process:
        yield process
        process.kill()


def members(process: Warm) -> list[psutil.Process]:
    while process.poll() is None:
        found = [
            one for one in psutil.Process(process.pid).children() if "evaluation.worker" in " ".join(one.cmdline())
        ]
        if len(found) == 2:
            return found
        time.sleep(0.02)
    pytest.fail(f"the run has ended: {process.communicate()}")


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_starts_ends_the_run_with_its_rank(two: Warm, tmp_path: Path) -> None:
    first, second = members(two)
    second.kill()
    _, errors = two.communicate(timeout=300)
    assert two.returncode == 1
    assert "process 1 of 2 was killed (SIGKILL)" in errors and "Traceback" not in errors
    assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_the_processes_of_a_killed_run_end_by_themselves_and_their_answers_stay(two: Warm, tmp_path: Path) -> None:
    both = members(two)
    while not (found := list(tmp_path.glob("out/*/*/*/*/predictions*.jsonl"))) and two.poll() is None:
        time.sleep(0.02)
    two.kill()
    two.communicate()
    _, alive = psutil.wait_procs(both, timeout=20)
    assert not alive
    lines = [line for file in found for line in file.read_text().split("\n")[:-1]]
    assert lines and all(json.loads(line)["id"].startswith("tone-") for line in lines)
