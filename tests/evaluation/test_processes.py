"""Whole evaluations by several processes, and by one that looks like one of several."""

import json
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fastadasp.config.paths import REPOSITORY
from tests.helpers.stored_runs import lines, metrics

Evaluate = Callable[..., tuple[Path, float]]


def test_a_rank_that_is_left_over_in_the_shell_changes_nothing(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = evaluate(*asr)
    whole = (expected[0] / "metrics.json").read_bytes()
    shutil.rmtree(expected[0])
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "SLURM_PROCID": "3"}.items():
        monkeypatch.setenv(name, value)
    assert evaluate(*asr) == expected
    assert (expected[0] / "metrics.json").read_bytes() == whole


@pytest.mark.slow
def test_a_system_that_only_spawns_processes_gets_the_same_answers(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = (*(setting for setting in asr if not setting.startswith("merge.ratio")), "merge.flops_reduction=0.05")
    folder, _ = evaluate(*asr)
    expected, found = [{**line, "cost": None} for line in lines(folder)], metrics(folder)
    shutil.rmtree(folder)
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    evaluate(*asr, "hardware.num_workers=2")
    assert [{**line, "cost": None} for line in lines(folder)] == expected
    assert metrics(folder)["quality"] == found["quality"] and metrics(folder)["reduction"] == found["reduction"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "size"),
    [
        (("+hardware.trainer.devices=2", "+hardware.trainer.strategy=ddp_spawn"), 2),
        (("hardware.trainer.devices=2", "hardware.num_workers=1"), 64),  # one batch for two processes
    ],
)
def test_two_processes_share_the_batches(
    evaluate: Evaluate, asr: tuple[str, ...], processes: tuple[str, ...], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = (*asr, f"hardware.batch_size={size}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    one, objective = evaluate(*asr)
    before = {name: (one / name).read_bytes() for name in ("metrics.json", "predictions.jsonl")}
    for name in before:
        (one / name).unlink()
    for file in one.glob("provenance/*"):
        file.unlink()
    two = evaluate(*asr, *processes)
    assert two == (one, objective), "how many processes ran cannot be told from the result"
    without_cost = [
        [{**json.loads(line), "cost": None} for line in text.splitlines()]
        for text in (before["predictions.jsonl"].decode(), (one / "predictions.jsonl").read_text())
    ]
    assert without_cost[0] == without_cost[1]
    assert not list(one.glob("predictions-*.jsonl"))
