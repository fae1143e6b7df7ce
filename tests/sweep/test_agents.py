"""The real agent of W&B runs sweeps, against a stand-in of W&B's server on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from fastadasp.config.compose import compose_run
from fastadasp.config.paths import REPOSITORY
from fastadasp.sweep.command import Asked, sweep
from fastadasp.sweep.search import POINT
from tests.helpers.configs import SMALLEST_MODEL
from tests.helpers.wandb_server import Run, Server, environment, serving

pytestmark = pytest.mark.long

AGENT = """
from wandb.wandb_agent import Agent
Agent.POLL_INTERVAL = 0.3  # seconds; 5 otherwise
from wandb.cli.cli import cli
cli()
"""
"""The agent's own command, which asks the server more often than every five seconds."""

POINTS = [{"merge": merge, "merge.ratio": ratio} for merge in ("fastadasp", "frame") for ratio in (0.2, 0.5, 0.8)]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def common(folder: Path) -> list[str]:
    return [*SMALLEST_MODEL, "task=sqa", "task.limit=2", "hardware=cpu", "hardware.num_workers=0",
            "generation.max_new_tokens=6", f"output_dir={folder}/out"]  # fmt: skip


def described(folder: Path) -> dict[str, Any]:
    """The six points as a sweep file."""
    return {
        "program": str(REPOSITORY / "run.py"),
        "method": "grid",
        "metric": {"name": "accuracy", "goal": "maximize"},
        "parameters": {"merge": {"values": ["fastadasp", "frame"]}, "merge.ratio": {"values": [0.2, 0.5, 0.8]}},
        "command": [
            *("${env}", "${interpreter}", "${program}", *common(folder)),
            *("logger=wandb", "logger.wandb.offline=false", "logged.flops_budget=0.1", "${args_no_hyphens}"),
        ],
    }


@contextmanager
def agent(server: Server, folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The process of an agent; whatever it has left is ended after the block."""
    python = Path(sys.executable).parent  # agents call `python`
    env = {**os.environ, **environment(server), "OMP_NUM_THREADS": "1", "WANDB_AGENT_DISABLE_FLAPPING": "true"}
    env |= {"PATH": f"{python}{os.pathsep}{env['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", AGENT, "agent", *options, "someone/fastadasp/six"]
    with (folder / f"agent-{time.monotonic_ns()}.log").open("w") as log:
        started = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT, text=True)
        try:
            yield started
        finally:
            started.kill()
            started.wait()


def lose(pid: int) -> None:
    """End a process and all that it has started at one stroke, as when a machine goes away."""
    every = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in every:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(every)


def waited(until: Callable[[], bool], seconds: float = 120.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if until():
            return True
        time.sleep(0.05)
    return False


def logs(folder: Path) -> str:
    return "\n".join(file.read_text()[-4000:] for file in folder.glob("agent-*.log"))


def states(runs: Sequence[Run]) -> list[str]:
    return [run.state for run in runs]


def test_agents_complete_six_points_though_one_is_killed_and_the_offline_sweep_has_equal_results(
    server: Server, tmp_path: Path
) -> None:
    server.program, server.sweep = str(REPOSITORY / "run.py"), yaml.safe_dump(described(tmp_path))
    server.offer(POINTS)
    runs = list(server.runs.values())
    with agent(server, tmp_path) as first:
        assert waited(lambda: runs[1].state == "running" and bool(runs[1].config)), logs(tmp_path)
        lose(first.pid)
    killed = [run for run in runs if run.state == "running"]
    assert killed == [runs[1]]
    with agent(server, tmp_path) as second:
        assert second.wait(240) == 0, logs(tmp_path)
    assert states(runs) == ["finished"] * 6, logs(tmp_path)
    assert [run.starts for run in runs] == [1, 2, 1, 1, 1, 1]
    logged(runs[0], tmp_path)
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("predictions.jsonl")}
    offline = tmp_path / "six.yaml"
    offline.write_text(yaml.safe_dump(described(tmp_path)))
    study = sweep(Asked(offline, ()))
    points = [[f"merge={point['merge']}", f"merge.ratio={point['merge.ratio']}"] for point in POINTS]
    assert [trial.user_attrs[POINT] for trial in study.trials] == points
    assert [trial.values for trial in study.trials] == [[run.summary["accuracy"]] for run in runs]
    assert kept == {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("predictions.jsonl")}, (
        "only read"
    )


def logged(run: Run, folder: Path) -> None:
    """What W&B got of a run: numbers, settings, tables and pictures."""
    _, place = compose_run([*common(folder), "merge=fastadasp", "merge.ratio=0.2"])
    metrics = json.loads((place / "metrics.json").read_bytes())
    assert run.exit_code == 0
    assert run.summary["accuracy"] == run.summary["score"] == metrics["quality"]["accuracy"]
    assert run.summary["removed"] == pytest.approx(metrics["reduction"]["measured"])
    assert run.summary["flops_saved"] == pytest.approx(metrics["cost"]["flops_paper_saved"])
    assert {"method", "schedule", "layer", "ratio", "kv_saved", "prefill_s", "rtf", "at_budget"} <= set(run.summary)
    assert (run.summary["method"], run.summary["ratio"]) == ("fastadasp", 0.2)
    assert run.config["chosen"]["value"] | {"merge": "fastadasp", "task": "sqa"} == run.config["chosen"]["value"]
    assert run.config["generation"]["value"]["max_new_tokens"] == 6, "nested and resolved"
    tables = {
        name.split("/")[-1].split("_")[0]: json.loads(text) for name, text in run.files.items() if "table" in name
    }
    assert [row[:2] for row in tables["layers"]["data"]] == [
        [number, layer["tokens"]] for number, layer in enumerate(metrics["layers"])
    ]
    stored = [json.loads(line) for line in (place / "predictions.jsonl").read_text().splitlines()]
    rows = [dict(zip(tables["predictions"]["columns"], row, strict=True)) for row in tables["predictions"]["data"]]
    assert [(row["id"], row["answer"], row["reference"]) for row in rows] == [
        (line["id"], line["answer"], line["reference"]) for line in stored
    ]
    assert {(row["audio"], row["merge_map"]) for row in rows} == {("Audio", "Image")}
    assert {path.name for path in (place / "maps").iterdir()} == {"0.png", "1.png"}
    pictures = {name for name in run.files if name.endswith(".png")}
    assert len(pictures) == 3 and all(run.files[name].startswith(b"\x89PNG") for name in pictures)


def test_an_agent_stops_its_run_when_told_and_a_failed_point_is_marked_failed(server: Server, tmp_path: Path) -> None:
    long = described(tmp_path)
    long["command"] = [word.replace("task.limit=2", "task.limit=64") for word in long["command"]]
    server.program, server.sweep = str(REPOSITORY / "run.py"), yaml.safe_dump(long)
    server.offer([{"merge": "fastadasp", "merge.ratio": 0.4}, {"merge": "fastadasp", "merge.layer": 99}])
    stopped, wrong = server.runs.values()
    with agent(server, tmp_path) as started:
        assert waited(lambda: stopped.state == "running" and bool(stopped.config)), logs(tmp_path)
        server.stop.add("point0")
        assert waited(lambda: stopped.exit_code is not None), logs(tmp_path)
        assert (stopped.exit_code, stopped.preempted) == (128 + signal.SIGTERM, True)
        server.stop.clear()
        assert started.wait(200) == 0, logs(tmp_path)
    assert (stopped.state, stopped.starts) == ("finished", 2), "a preempted point is given to an agent again"
    assert (wrong.state, wrong.exit_code) == ("failed", 1)
    assert "merge.layer must lie in" in wrong.summary["problem"]
