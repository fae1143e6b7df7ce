"""Batches whose inputs are made ahead are those whose inputs are made when they are due."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from fastadasp.errors import InputError
from fastadasp.evaluation.batches import PreparedBatch
from fastadasp.evaluation.module import EvalModule
from fastadasp.evaluation.staging import Staged

CPU = torch.device("cpu")


def numbered(count: int, asked: list[int] | None = None) -> Iterator[PreparedBatch]:
    for number in range(count):
        if asked is not None:
            asked.append(number)
        yield PreparedBatch(number, (), ())


def inputs(batch: PreparedBatch) -> dict[tuple[str, ...], Any]:
    return {(str(batch.index),): {"thread": threading.current_thread().name}}


def test_all_batches_come_in_order_with_inputs_that_a_thread_has_made() -> None:
    found = list(Staged(numbered(5), inputs, CPU))
    assert [batch.index for batch in found] == list(range(5))
    for batch in found:
        assert batch.inputs[str(batch.index),]["thread"].startswith("staging")
    assert list(Staged(numbered(0), inputs, CPU)) == []


def test_one_batch_is_made_ahead_and_not_more() -> None:
    asked: list[int] = []
    batches = iter(Staged(numbered(5, asked), inputs, CPU))
    next(batches)
    threading.Event().wait(0.2)
    assert asked == [0, 1]


def test_an_error_is_raised_when_its_batch_is_due() -> None:
    def fails(batch: PreparedBatch) -> dict[tuple[str, ...], Any]:
        if batch.index == 2:
            raise InputError("what cannot be encoded")
        return {}

    batches = iter(Staged(numbered(5), fails, CPU))
    assert [next(batches).index, next(batches).index] == [0, 1]
    with pytest.raises(InputError, match="what cannot be encoded"):
        next(batches)


def test_a_run_with_inputs_made_ahead_gives_the_same_answers(
    evaluate: Callable[..., tuple[Path, float]], tones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("task=asr", f"task.manifest={tones}", "merge.ratio=0.5", "hardware.batch_size=2")
    folder, _ = evaluate(*settings)

    def answers() -> list[Any]:
        lines = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
        return [[line[key] for key in ("id", "text", "audio_tokens_per_layer")] for line in lines]

    expected = answers()
    shutil.rmtree(folder)
    plain, made = EvalModule.test_dataloader, []

    def staged(self: EvalModule) -> Staged:
        def stage(batch: PreparedBatch) -> dict[tuple[str, ...], Any]:
            made.append(batch.index)
            return self._staged(batch)

        return Staged(plain(self), stage, CPU)

    monkeypatch.setattr(EvalModule, "test_dataloader", staged)
    monkeypatch.setattr(EvalModule, "_encoded", counted := Counted(EvalModule._encoded))
    evaluate(*settings)
    assert answers() == expected and made == [0, 1, 2]
    assert counted.calls == 3, "nothing is encoded a second time"


class Counted:
    """A method that counts its calls."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method, self.calls = method, 0

    def __get__(self, owner: Any, _: Any) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.calls += 1
            return self.method(owner, *args)

        return call
