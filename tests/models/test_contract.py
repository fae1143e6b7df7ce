"""The rules of an adapter: the package's own adapter keeps them, and each broken rule is named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fastadasp.evaluation.hardware import Placement, load
from fastadasp.models.base import ModelError
from fastadasp.models.contract import check_batch
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.tasks.base import Example
from tests.helpers.miniatures import tone

SIZES: Mapping[str, int] = {"layers": 2, "hidden": 32, "intermediate": 48, "encoder_layers": 1}
CPU = Placement("cpu", "float32", "sdpa")


class SaysThreeLayers(Qwen2AudioRandom):
    @property
    def shape(self) -> Any:
        return replace(super().shape, layers=3, hidden=64)


class LeftInTraining(Qwen2AudioRandom):
    def load(self, **placement: Any) -> Any:
        return super().load(**placement).train()


class CountsOneMore(Qwen2AudioRandom):
    def prompt_tokens(self, prepared: Any) -> tuple[int, int]:
        audio, others = super().prompt_tokens(prepared)
        return audio + 1, others


class MarksByNumbers(Qwen2AudioRandom):
    def audio_mask(self, inputs: Any) -> Any:
        return super().audio_mask(inputs).long()


class MarksPadding(Qwen2AudioRandom):
    def audio_mask(self, inputs: Any) -> Any:
        return super().audio_mask(inputs) | ~inputs["attention_mask"].bool()


class PadsOnTheRight(Qwen2AudioRandom):
    def encode(self, prepared: Sequence[Any]) -> Any:
        inputs = super().encode(prepared)
        for name in ("input_ids", "attention_mask"):
            shift = int((inputs["attention_mask"][1] == 0).sum())
            inputs[name][1] = torch.roll(inputs[name][1], -shift)
        return inputs


@pytest.fixture
def checked(tmp_path: Path) -> Callable[[type[Qwen2AudioRandom]], None]:
    """Loads an adapter and checks a batch of two unlike rows."""
    examples = [
        Example(f"{seconds}", (tone(tmp_path / f"{seconds}.wav", seconds),), "What is said?", "")
        for seconds in (1.0, 0.4)
    ]

    def check(kind: type[Qwen2AudioRandom]) -> None:
        adapter = kind(**SIZES)
        load(adapter, CPU)
        prepared = [adapter.prepare(example) for example in examples]
        inputs = adapter.encode(prepared)
        check_batch(adapter, prepared, inputs)

    return check


def test_an_adapter_of_the_package_keeps_all_rules(checked: Callable[..., None]) -> None:
    assert checked(Qwen2AudioRandom) is None


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (SaysThreeLayers, r"`shape\.layers` says 3, but the decoder has 2\n  `shape\.hidden` says 64, but .* has 32"),
        (LeftInTraining, "must return the model in eval mode"),
        (CountsOneMore, r"says 26 audio tokens and \d+ others in row 0, but the batch holds 25 and"),
        (MarksByNumbers, r"must give a bool tensor of \(2, \d+\), .* got torch\.int64 of \(2, \d+\)"),
        (MarksPadding, "`audio_mask` marks padding as audio"),
        (PadsOnTheRight, "`encode` must pad prompts on the left"),
    ],
)
def test_a_broken_rule_is_named(kind: type[Qwen2AudioRandom], message: str, checked: Callable[..., None]) -> None:
    with pytest.raises(ModelError, match=f"(?s)adapter .*{kind.__name__} does not keep the rules of .*{message}"):
        checked(kind)
