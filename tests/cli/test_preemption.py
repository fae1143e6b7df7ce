"""A job that is preempted after its first answers and requeued ends with the metrics of an unbroken run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastadasp.config.paths import REPOSITORY
from tests.cli.test_stopping import answered
from tests.helpers.configs import SMALLEST_MODEL

pytestmark = pytest.mark.long


def start(folder: Path, *arguments: object, **environment: str) -> "subprocess.Popen[str]":
    """A command in a process of its own, which SIGINT reaches."""
    kept = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(REPOSITORY), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )


SWEEP = """
command: ["${env}", "${program}", task=asr]
parameters: {merge.ratio: {values: [0.5]}}
"""


def settings(tones: Path) -> list[str]:
    """A run of five batches, each of which takes a while."""
    clips = ["task=asr", f"task.manifest={tones}", "hardware=cpu", "hardware.batch_size=1", "hardware.num_workers=0"]
    return [*SMALLEST_MODEL, *clips, "generation.max_new_tokens=100", "logger=none"]


@pytest.fixture
def unbroken(tones: Path, tmp_path: Path) -> bytes:
    """The `metrics.json` of a plain run."""
    process = start(
        tmp_path, "-m", "fastadasp", "run", *settings(tones), "merge.ratio=0.5", f"output_dir={tmp_path}/plain"
    )
    done(process)
    (file,) = tmp_path.glob("plain/*/*/*/*/metrics.json")
    return file.read_bytes()


@contextmanager
def at_work(folder: Path, *command: object) -> Iterator["subprocess.Popen[str]"]:
    """A command that has stored its first answers; whatever it leaves is ended after the block."""
    process = start(folder, "-m", "fastadasp", *command)
    try:
        until = time.monotonic() + 900
        while not lines(folder) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        end(family(process))


def family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [*(own := psutil.Process(process.pid)).children(recursive=True), own]
    return []


def done(process: "subprocess.Popen[str]") -> None:
    """Wait until a command has ended well."""
    try:
        output, errors = process.communicate(timeout=900)
    finally:
        end(family(process))
    assert process.returncode == 0, output + errors


def end(processes: list[psutil.Process]) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(processes, timeout=30)


def lines(folder: Path) -> list[str]:
    return [
        line for file in answered(folder) for line in file.read_text().splitlines(keepends=True) if line[-1] == "\n"
    ]


def worker(process: "subprocess.Popen[str]", belongs: Callable[[str], bool]) -> psutil.Process:
    """The process of the command's that does the run."""
    (found,) = [one for one in family(process) if belongs(" ".join(one.cmdline()))]
    return found


def measured(metrics: bytes) -> dict[str, Any]:
    """What is in a `metrics.json`, but for the progress bar, which a sweep turns off."""
    content: dict[str, Any] = json.loads(metrics)
    content["config"]["hardware"]["trainer"].pop("enable_progress_bar", None)
    return content


def checked(folder: Path, before: list[str], unbroken: bytes) -> None:
    (file,) = folder.glob("out/*/*/*/*/metrics.json")
    assert measured(file.read_bytes()) == measured(unbroken)
    after = lines(folder)
    assert 1 <= len(before) < len(after) == 5, "it was stopped before its last answer"
    assert set(before) <= set(after), "answers that were there are kept"
    assert len({json.loads(line)["id"] for line in after}) == 5


@pytest.mark.parametrize("kind", ["joblib", "sweep"])
def test_a_command_that_was_ended_with_all_its_processes_goes_on(
    kind: str, tones: Path, tmp_path: Path, unbroken: bytes
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(SWEEP)
    common = [*settings(tones), f"output_dir={tmp_path}/out"]
    launched = ["run", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "merge.ratio=0.5", *common]
    command = ["sweep", file, *common] if kind == "sweep" else launched
    with at_work(tmp_path, *command) as process:
        every = family(process)
        for one in every:  # as a cluster does: SIGTERM to all, and SIGKILL to what is left
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(every, timeout=30)
        end(left)
        before = lines(tmp_path)
    again = start(tmp_path, "-m", "fastadasp", *command)
    done(again)
    checked(tmp_path, before, unbroken)


def test_submitit_requeues_a_job_that_slurm_would_preempt(tones: Path, tmp_path: Path, unbroken: bytes) -> None:
    command = ["run", "-m", "hydra/launcher=submitit_local", "merge.ratio=0.5", *settings(tones)]
    with at_work(tmp_path, *command, f"output_dir={tmp_path}/out") as process:
        job = worker(process, lambda line: "submitit.core._submit" in line and "_local" not in line)
        before = lines(tmp_path)
        job.send_signal(signal.SIGTERM)  # Slurm sends both; submitit waits for the second
        job.send_signal(signal.SIGUSR2)
        job.wait(300)
        done(process)
    checked(tmp_path, before, unbroken)


def test_ray_starts_a_run_again_whose_process_was_lost(tones: Path, tmp_path: Path, unbroken: bytes) -> None:
    pytest.importorskip("ray")
    command = ["run", "-m", "hydra/launcher=ray", "merge.ratio=0.5", *settings(tones)]
    with at_work(tmp_path, *command, f"output_dir={tmp_path}/out") as process:
        task = worker(process, lambda line: line.startswith("ray::") and "IDLE" not in line)
        before = lines(tmp_path)
        task.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs([task], timeout=30)
        end(left)
        done(process)
    checked(tmp_path, before, unbroken)
