"""Likelihoods of given answers, against plain forward passes and, under reduction, transformers' own decoding."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from fastadasp import (
    H2O,
    TOVA,
    AdaKV,
    Average,
    FastAdaSP,
    FastV,
    MergeMethod,
    NoReduction,
    RandomMerge,
    SnapKV,
    Tome,
    VisPruner,
    merging,
)
from fastadasp.decoding.options import score
from fastadasp.engine.decoder import find_decoder
from fastadasp.engine.encoder import find_encoder
from tests.helpers.tiny_speech import AUDIO_TOKEN, speech_batch, speech_prompt, tiny_speech_model

ROWS = [speech_prompt((4, 40, 6), seed=1), speech_prompt((3, 52, 5, 30, 9), seed=2), speech_prompt((7, 21, 3), seed=3)]
"""Prompts of unlike lengths, one with two clips."""


def answers(seed: int = 0) -> list[list[Tensor]]:
    """Three, four and two answers of one to five tokens for the rows."""
    generator = torch.Generator().manual_seed(seed)

    def ids(length: int) -> Tensor:
        return torch.randint(2, AUDIO_TOKEN, (length,), generator=generator)

    return [[ids(length) for length in lengths] for lengths in ((1, 2, 5), (3, 1, 1, 4), (2, 2))]


def scored(model: nn.Module, method: MergeMethod, rows: Sequence[dict], given: Sequence[Sequence[Tensor]]) -> list:
    batch = speech_batch(rows)
    return score(model, batch, method, batch["input_ids"] == AUDIO_TOKEN, given).likelihoods


def whole(row: dict[str, Tensor], answer: Tensor) -> dict[str, Tensor]:
    """The inputs of one forward pass over a prompt and an answer to it."""
    batch = speech_batch([row])
    ids = torch.cat([batch["input_ids"], answer[None]], 1)
    return {**batch, "input_ids": ids, "attention_mask": torch.ones_like(ids)}


def from_logits(logits_TV: Tensor, answer: Tensor) -> list[float]:
    """Of each token of an answer that ends the sequence."""
    told = logits_TV[-len(answer) - 1 : -1].log_softmax(-1)
    return [float(told[place, token]) for place, token in enumerate(answer)]


def test_without_reduction_scores_are_those_of_plain_forward_passes() -> None:
    model, given = tiny_speech_model(), answers()
    expected = []
    for row, options in zip(ROWS, given, strict=True):
        with torch.no_grad():
            expected.append([from_logits(model(**whole(row, answer)).logits[0], answer) for answer in options])
    for row, found in zip(expected, scored(model, NoReduction(), ROWS, given), strict=True):
        for one, other in zip(row, found, strict=True):
            assert other == pytest.approx(one, abs=1e-4)


@pytest.mark.parametrize(
    "method",
    [
        Average(ratio=0.5, layer=1),
        Tome(ratio=0.4, layer=1),
        Average(ratio=0.4, layer=1, schedule="constant"),
        RandomMerge(ratio=0.5, layer=2, positions="original"),
    ],
    ids=lambda method: f"{type(method).__name__}-{method.schedule.name}",
)
def test_scores_are_those_of_one_reduced_pass_over_prompt_and_answer(method: MergeMethod) -> None:
    """For methods whose choice does not depend on what attends to the audio: there, the answer would attend, too."""
    model, given = tiny_speech_model(), answers()
    for row, options, found in zip(ROWS, given, scored(model, method, ROWS, given), strict=True):
        for answer, told in zip(options, found, strict=True):
            inputs = whole(row, answer)
            with torch.no_grad(), merging(model, method, inputs["input_ids"] == AUDIO_TOKEN) as trace:
                logits = model(**inputs).logits[0]
            assert trace.audio_tokens[-1] < (inputs["input_ids"] == AUDIO_TOKEN).sum()
            assert told == pytest.approx(from_logits(logits, answer), abs=5e-4)


METHODS = [
    FastAdaSP(ratio=0.5, layer=1),
    FastAdaSP(ratio=0.5, layer=1, schedule="constant"),
    FastV(ratio=0.5, layer=1),
    VisPruner(ratio=0.5),
    SnapKV(ratio=0.5, window=4),
    AdaKV(ratio=0.5, scorer=SnapKV(window=4)),
    H2O(ratio=0.5),
    TOVA(ratio=0.5),
]


def forced(model: nn.Module, method: MergeMethod, row: dict[str, Tensor], answer: Tensor) -> list[float]:
    """Of each token, as transformers' `generate()` finds them that is allowed no other."""
    batch = speech_batch([row])
    prompt = batch["input_ids"].shape[1]
    with merging(model, method, batch["input_ids"] == AUDIO_TOKEN):
        out = model.generate(
            **batch,
            max_new_tokens=len(answer),
            do_sample=False,
            prefix_allowed_tokens_fn=lambda _, ids: [int(answer[len(ids) - prompt])],
            output_logits=True,
            return_dict_in_generate=True,
        )
    assert out.sequences[0, prompt:].tolist() == answer.tolist()
    return [float(logits.log_softmax(-1)[0, token]) for logits, token in zip(out.logits, answer, strict=True)]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{type(method).__name__}-{method.schedule.name}")
def test_scores_are_those_of_transformers_generate_that_must_give_the_answer(method: MergeMethod) -> None:
    model, given = tiny_speech_model(), answers()
    found = scored(model, method, ROWS, given)
    for row, options, told in zip(ROWS, given, found, strict=True):
        for answer, scores in zip(options, told, strict=True):
            assert scores == pytest.approx(forced(model, method, row, answer), abs=1e-4)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{type(method).__name__}-{method.schedule.name}")
def test_scores_depend_on_neither_the_batch_nor_the_order_of_answers(method: MergeMethod) -> None:
    model, given = tiny_speech_model(), answers()
    together = scored(model, method, ROWS, given)
    for row, options, found in zip(ROWS, given, together, strict=True):
        (alone,) = scored(model, method, [row], [options])
        (turned,) = scored(model, method, [row], [options[::-1]])
        for one, two, three in zip(found, alone, turned[::-1], strict=True):
            assert one == pytest.approx(two, abs=1e-4)
            assert two == pytest.approx(three, abs=1e-4)


def test_all_answers_share_one_prefill() -> None:
    model, given = tiny_speech_model(), answers()
    scored(model, FastAdaSP(ratio=0.5, layer=1), ROWS, given)  # the first use of a model also proves its layers
    encoded, read = [], []
    handles = [
        find_encoder(model).register_forward_hook(lambda *_: encoded.append(1)),
        find_decoder(model).register_forward_pre_hook(lambda *call: read.append(call[2]), with_kwargs=True),
    ]
    batch = speech_batch(ROWS)
    audio_BT = batch["input_ids"] == AUDIO_TOKEN
    done = score(model, batch, FastAdaSP(ratio=0.5, layer=1), audio_BT, given)
    assert len(encoded) == 1 and len(read) == 1 + done.passes
    assert done.passes == 2  # at most two answers of a row have more than one token
    read.clear()
    letters = [[answer[:1] for answer in row] for row in given]
    assert score(model, batch, FastAdaSP(ratio=0.5, layer=1), audio_BT, letters).passes == 0
    assert len(read) == 1
    for handle in handles:
        handle.remove()


def test_the_model_is_as_before_afterwards() -> None:
    model = tiny_speech_model()
    batch = speech_batch(ROWS)
    before = model.generate(**batch, max_new_tokens=4, do_sample=False)
    scored(model, H2O(ratio=0.5), ROWS, answers())
    assert torch.equal(model.generate(**batch, max_new_tokens=4, do_sample=False), before)
