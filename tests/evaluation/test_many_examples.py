"""What is read from the disk because there is much of it gives the results of what is held in memory."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastadasp.evaluation import stored
from fastadasp.evaluation.store import RunStore
from fastadasp.evaluation.stored import Stored
from fastadasp.files import shelf
from fastadasp.tasks.base import Prediction


def results(folder: Path) -> tuple[Any, list[Any]]:
    lines = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
    return json.loads((folder / "metrics.json").read_text()), [{**line, "cost": {}} for line in lines]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_of_many_examples_gives_the_results_of_a_small_one(
    evaluate: Callable[..., tuple[Path, float]], tones: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    settings = ("task=asr", f"task.manifest={tones}", "hardware.batch_size=2", f"hardware.num_workers={workers}")
    folder, _ = evaluate(*settings)
    expected = results(folder)
    shutil.rmtree(folder)
    for module in (shelf, stored):
        monkeypatch.setattr(module, "MOST_IN_MEMORY", 2)
    evaluate(*settings)
    assert results(folder) == expected
    lines = (folder / "predictions.jsonl").read_text().splitlines(keepends=True)
    (folder / "predictions.jsonl").write_text("".join(lines[3:] + lines[:1]))
    (folder / "metrics.json").unlink()
    evaluate(*settings)
    assert results(folder)[1] == expected[1], "what a kill has left is filled up, in the order of the manifest"


def test_what_is_gathered_from_many_files_is_read_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MOST_IN_MEMORY", 10)
    made = [Prediction(f"ü{number}", "text", "answer", "reference", meta={"n": number}) for number in range(3000)]
    for rank in (0, 1, 2):
        RunStore(tmp_path, rank).append(made[rank::3])
    RunStore(tmp_path, 1).append([made[0]])  # answered once more after a restart
    found = RunStore(tmp_path).consolidate([prediction.id for prediction in made])
    assert isinstance(found, Stored) and list(found) == made
    assert found[17] == made[17] and found[-2:] == made[-2:] and len(found) == 3000
    before = (tmp_path / "predictions.jsonl").stat()
    assert list(RunStore(tmp_path).consolidate([prediction.id for prediction in made])) == made
    assert (tmp_path / "predictions.jsonl").stat().st_mtime_ns == before.st_mtime_ns
    RunStore(tmp_path).consolidate([prediction.id for prediction in reversed(made)])
    assert list(RunStore(tmp_path).gathered()) == made[::-1]
