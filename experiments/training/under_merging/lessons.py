"""Transcription lessons from shards of speech, and the loss of an answer that follows a reduced prompt.

B rows, T tokens of the left-padded prompt, N tokens of the answer with its end.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from experiments.training.tiny.corpus.shards import is_complete, read_shard
from fastadasp import MergeMethod, SpeechModel, merging
from fastadasp.tasks.asr import ASR

IGNORED = -100


@dataclass(frozen=True)
class Lesson:
    """A recording at 16 kHz and its transcript."""

    samples: "np.ndarray[Any, np.dtype[np.float32]]"
    text: str


@dataclass(frozen=True)
class Batch:
    """Prompts as the model reads them, and the answers."""

    inputs: Mapping[str, Any]
    audio_BT: Tensor
    answer_BN: Tensor
    """Ids, padded on the right."""
    labels_BN: Tensor
    """The same with IGNORED on padding."""


def read_lessons(folder: Path) -> list[Lesson]:
    """All clips of the complete shards in a folder."""
    lessons: list[Lesson] = []
    for shard in sorted(path for path in folder.glob("asr-*") if is_complete(path)):
        packed, lines = read_shard(shard)
        for line in lines:
            samples = packed[line["start"] : line["start"] + line["samples"]].astype(np.float32) / 32768
            lessons.append(Lesson(samples, line["text"]))
    return lessons


def batches(lessons: Sequence[Lesson], size: int, seed: int) -> Iterator[list[Lesson]]:
    """Batches without end, each epoch in an order of its own; clips of like length come together."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(lessons))
        for start in range(0, len(order) - 8 * size + 1, 8 * size):
            window = sorted(order[start : start + 8 * size], key=lambda place: len(lessons[place].samples))
            for part in rng.permutation(8):
                yield [lessons[place] for place in window[part * size : (part + 1) * size]]


def encode(model: SpeechModel, lessons: Sequence[Lesson]) -> Batch:
    """The prompts of a transcription task with the answers that should follow."""
    inputs = model.inputs([lesson.samples for lesson in lessons], ASR.instruction)
    end = model.processor.tokenizer.eos_token_id
    answers = [torch.cat([model.adapter.answer_ids(lesson.text), torch.tensor([end])]) for lesson in lessons]
    return Batch(
        inputs,
        model.audio_mask(inputs),
        pad_sequence(answers, batch_first=True, padding_value=end),
        pad_sequence(answers, batch_first=True, padding_value=IGNORED),
    )


def loss(network: nn.Module, method: MergeMethod, batch: Batch) -> Tensor:
    """Mean cross-entropy of the answers' tokens, each foretold from the reduced prompt and the tokens before it.

    The prompt is read first and the answer from its caches, as in decoding: read together, the answer would take part
    in choosing which audio tokens are merged, and a model could learn to be told by that.
    """
    with merging(network, method, batch.audio_BT):
        prompt = network(**batch.inputs, use_cache=True)
        given_BN = batch.answer_BN[:, :-1]
        mask_BT = torch.cat([batch.inputs["attention_mask"], torch.ones_like(given_BN)], dim=1)
        answer = network(
            input_ids=given_BN, attention_mask=mask_BT, past_key_values=prompt.past_key_values, use_cache=True
        )
    logits_BNV = torch.cat([prompt.logits[:, -1:], answer.logits], dim=1)
    return nn.functional.cross_entropy(
        logits_BNV.flatten(0, 1).float(), batch.labels_BN.flatten(), ignore_index=IGNORED
    )
