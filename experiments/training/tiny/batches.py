"""Batches for training: lessons as token ids, padded on the right.  B rows, T tokens, N audio tokens of the batch."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from experiments.training.tiny.items import Item
from experiments.training.tiny.prompts import RETELL, Lesson
from experiments.training.tiny.vocabulary import AUDIO, AUDIO_BOS, AUDIO_EOS, TURN, TURN_END

IGNORED = -100


@dataclass(frozen=True)
class Row:
    """One lesson as tokens."""

    ids: list[int]
    labels: list[int]
    """The ids where an answer is to be learnt, else IGNORED."""
    read: list[int]
    """The ids of all other text, else IGNORED: to foretell it is to find again what was heard or read before."""
    late: list[int]
    """The tokens that come in at a middle layer, else IGNORED."""
    clips: list[Tensor]
    transcript: list[int]
    kind: str
    """The task, and in what form it is taught: what the log tells apart."""


@dataclass
class Batch:
    """Rows padded on the right. Causal attention needs no mask then: no real token sees a pad.

    Not frozen, since Lightning moves batches between devices field by field.
    """

    ids_BT: Tensor
    labels_BT: Tensor
    read_BT: Tensor
    late_BT: Tensor
    positions_BT: Tensor
    features_ND: Tensor
    """Tower outputs of all audio positions, row by row."""
    transcripts: list[list[int]]
    """CTC targets of each row; empty where there are none."""
    kinds: list[str]
    """What each row teaches."""


class Rows:
    """Turns lessons into rows with the model's tokenizer and chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.audio = int(tokenizer.convert_tokens_to_ids(AUDIO))
        self.end = int(tokenizer.convert_tokens_to_ids(TURN_END))
        self.pad = int(tokenizer.pad_token_id)

    def stretched(self, lesson: Lesson) -> tuple[list[int], list[int]]:
        """(ids, late) of a prompt whose passage enters late, each token with about `stretch` - 1 pads behind it."""
        rng = random.Random(lesson.passage)
        opening = f"{TURN}user\n"
        text = f"{opening}{lesson.passage}\n{lesson.instruction}{TURN_END}\n{TURN}assistant\n"
        told = range(len(opening), len(opening) + len(lesson.passage or ""))
        encoded = self.tokenizer(text, return_offsets_mapping=True)
        ids: list[int] = []
        late: list[int] = []
        for token, (start, _) in zip(encoded.input_ids, encoded.offset_mapping, strict=True):
            if start in told:
                late += [token, *[self.pad] * rng.randint(0, 2 * lesson.stretch - 2)]
                ids += [self.pad] * (len(late) - len(ids))
            else:
                ids.append(token)
                late.append(IGNORED)
        return ids, late

    def prompt(self, lesson: Lesson, clips: Sequence[int]) -> list[int]:
        """Ids of the first prompt; each clip stands as one audio token a feature row, as the processor expands it."""
        heard = f"{AUDIO_BOS}{AUDIO}{AUDIO_EOS}" * len(clips) if lesson.passage is None else lesson.passage + "\n"
        text = f"{TURN}user\n{heard}{lesson.instruction}{TURN_END}\n{TURN}assistant\n"
        out: list[int] = []
        lengths = iter(clips)
        for token in self.tokenizer(text).input_ids:
            out += [token] * next(lengths) if token == self.audio else [token]
        return out

    def __call__(self, item: Item, lesson: Lesson) -> Row:
        clips = item.features() if lesson.passage is None else []
        if lesson.stretch:
            prompt, late = self.stretched(lesson)
        else:
            prompt = self.prompt(lesson, [len(clip) for clip in clips])
            late = [IGNORED] * len(prompt)
        ids, labels = prompt, [IGNORED] * len(prompt)
        for number, turn in enumerate(lesson.turns):
            asked = self._further(turn.instruction) if number else []
            answer = [*self.tokenizer(turn.answer).input_ids, self.end]
            ids, labels = ids + asked + answer, labels + [IGNORED] * len(asked) + answer
        transcript = self.tokenizer(lesson.transcript).input_ids if lesson.transcript and clips else []
        read = [
            IGNORED if token in (self.audio, self.pad) or label != IGNORED else token
            for token, label in zip(ids, labels, strict=True)
        ]
        kind = f"{item.task}{'' if clips else '_text'}{'_retold' * (lesson.instruction == RETELL)}"
        late += [IGNORED] * (len(ids) - len(late))
        return Row(ids, labels, read, late, clips, transcript, f"{kind}{'_late' * bool(lesson.stretch)}")

    def _further(self, instruction: str) -> list[int]:
        """Ids between one answer and the next."""
        return list(self.tokenizer(f"\n{TURN}user\n{instruction}{TURN_END}\n{TURN}assistant\n").input_ids)


def mask_spans(clip_ND: Tensor, rng: random.Random) -> Tensor:
    """SpecAugment's time masks on tower outputs: up to two spans of at most 0.32 s set to zero."""
    out = clip_ND.clone()
    for _ in range(rng.randint(0, 2) if len(out) > 30 else 0):
        start = rng.randrange(len(out))
        out[start : start + rng.randint(1, 8)] = 0
    return out


def positions(row: Row, audio: int, reach: int, rng: random.Random) -> list[int]:
    """Position of each token. Half of the rows skip ahead once inside the audio and once after it, as if more had been
    heard there, so that minutes of audio are not beyond anything seen (PoSE, Zhu et al. 2023)."""
    count = len(row.ids)
    out = list(range(count))
    slack = reach - count
    if not row.clips or slack <= 0 or rng.random() < 0.5:
        return out
    heard = [i for i, token in enumerate(row.ids) if token == audio]
    slack = int(slack * rng.random() ** 2)
    for start, skip in ((rng.choice(heard), rng.randint(0, slack)), (heard[-1] + 1, rng.randint(0, slack))):
        out[start:] = [p + skip // 2 for p in out[start:]]
    return out


def collate(
    rows: Sequence[Row], audio: int, pad: int, reach: int, rng: random.Random | None, multiple: int = 16
) -> Batch:
    """Pad the rows to a common length, a multiple of `multiple`; positions reach up to about `reach`.

    Without a generator nothing is masked and positions count on, as at inference.
    """
    length = -(-max(len(row.ids) for row in rows) // multiple) * multiple

    def padded(lists: Sequence[list[int]], value: int) -> Tensor:
        return torch.tensor([[*values, *[value] * (length - len(values))] for values in lists])

    clips = [clip if rng is None else mask_spans(clip, rng) for row in rows for clip in row.clips]
    places = [list(range(len(row.ids))) if rng is None else positions(row, audio, reach, rng) for row in rows]
    return Batch(
        ids_BT=padded([row.ids for row in rows], pad),
        labels_BT=padded([row.labels for row in rows], IGNORED),
        read_BT=padded([row.read for row in rows], IGNORED),
        late_BT=padded([row.late for row in rows], IGNORED),
        positions_BT=padded(places, 0),
        features_ND=torch.cat(clips) if clips else torch.zeros(0, 384, dtype=torch.bfloat16),
        transcripts=[row.transcript for row in rows],
        kinds=[row.kind for row in rows],
    )
