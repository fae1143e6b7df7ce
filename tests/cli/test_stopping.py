"""A signal ends each command at once, with the status that tells of it, and nothing is started after it."""

import json
import os
import signal
import stat
import time
from pathlib import Path
from subprocess import Popen

import pytest

from tests.helpers.configs import SMALLEST_MODEL
from tests.helpers.warm import RUN, Warm, fresh, warm

pytestmark = pytest.mark.slow

GRID = """
title: Two rows
settings: [{settings}]
tasks: [asr]
amounts: [0.3]
full_tokens: [merge=none]
methods:
  - {{name: ours, settings: [merge=fastadasp], amount: merge.ratio}}
"""
SWEEP = """
command: ["${env}", "${program}", task=asr]
parameters: {seed: {values: [1, 2]}}
"""


@pytest.fixture
def settings(tones: Path, tmp_path: Path) -> list[str]:
    """A run of five batches, each of which takes a while."""
    clips = ["task=asr", f"task.manifest={tones}", "hardware=cpu", "hardware.batch_size=1", "hardware.num_workers=0"]
    return [*SMALLEST_MODEL, *clips, "generation.max_new_tokens=400", f"output_dir={tmp_path}/out"]


def answered(folder: Path) -> list[Path]:
    return list(folder.glob("out/*/*/*/*/predictions*.jsonl"))


def stop(process: "Popen[str] | Warm", folder: Path, number: int) -> str:
    """Signal a command once the first answer is there; returns what it says on stderr."""
    until = time.monotonic() + 300
    while not answered(folder) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()
    process.send_signal(number)
    return process.communicate(timeout=300)[1]


@pytest.mark.parametrize("kind", ["multirun", "joblib", "grid", "sweep", "processes"])
def test_nothing_is_started_after_a_sigterm(kind: str, settings: list[str], tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(GRID.format(settings=", ".join(settings)))
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    command: list[object] = {
        "multirun": ["run", "-m", *settings, "seed=1,2"],
        "joblib": ["run", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1", *settings, "seed=1,2"],
        "grid": ["grid", tmp_path / "grid.yaml"],
        "sweep": ["sweep", tmp_path / "sweep.yaml", *settings],
        "processes": ["run", *settings, "hardware.trainer.devices=2"],
    }[kind]
    process = warm("-m", "fastadasp", *command, cwd=tmp_path)
    errors = stop(process, tmp_path, signal.SIGTERM)
    assert process.returncode == 143, errors
    assert "Stopped by SIGTERM. What was answered is kept" in errors and "Traceback" not in errors
    assert len({file.parent for file in answered(tmp_path)}) == 1, "the second run was not begun"
    assert not list(tmp_path.glob("out/**/metrics.json"))
    time.sleep(1)
    size = sum(file.stat().st_size for file in answered(tmp_path))
    time.sleep(1)
    assert sum(file.stat().st_size for file in answered(tmp_path)) == size, "no process goes on"


def test_an_interrupted_run_goes_on_where_it_stood(settings: list[str], tmp_path: Path) -> None:
    process = fresh(RUN, *settings, cwd=tmp_path)
    assert "Stopped by SIGINT" in stop(process, tmp_path, signal.SIGINT)
    assert process.returncode == 130
    (file,) = answered(tmp_path)
    before = file.read_text().splitlines()
    again = warm(RUN, *settings, cwd=tmp_path)
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    after = file.read_text().splitlines()
    assert 1 <= len(before) < len(after) == 5 and set(before) <= set(after)


def test_slurms_notice_has_the_job_requeued(settings: list[str], tmp_path: Path) -> None:
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    slurm = {"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    path = f"{program.parent}:{os.environ['PATH']}"
    process = warm(RUN, *settings, cwd=tmp_path, PATH=path, **slurm)
    errors = stop(process, tmp_path, signal.SIGUSR1)
    assert process.returncode == 138 and "Slurm has requeued job 4711." in errors
    assert (tmp_path / "called").read_text() == "requeue 4711\n"
    (file,) = answered(tmp_path)
    assert all(json.loads(line)["id"] for line in file.read_text().splitlines())


def test_odd_terminals_and_folders_are_no_obstacle(settings: list[str], tones: Path, tmp_path: Path) -> None:
    odd = ["task.limit=1", "generation.max_new_tokens=2", "output_dir='x[/red]y'", "hydra.job.chdir=true"]
    odd += [f"task.manifest={tones.relative_to(tmp_path)}"]
    process = warm(RUN, *settings, *odd, cwd=tmp_path, PYTHONIOENCODING="ascii")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "x[/red]y" in output and output.isascii()
    assert len(list(tmp_path.glob("x[[]/red]y/*/*/*/*/metrics.json"))) == 1, "paths count from where it was called"
