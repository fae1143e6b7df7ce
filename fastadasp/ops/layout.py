"""The host's knowledge of a left-padded batch, by which output lengths need no device synchronisation.

B rows, T columns. A row reads: padding, text, audio and text in turns (several runs of audio are legal), text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where a batch's real and audio tokens lie; one value per row in each field."""

    tokens: tuple[int, ...]
    """Real tokens, padding not counted."""
    audio: tuple[int, ...]
    """Audio tokens."""
    runs: tuple[int, ...]
    """Maximal stretches of adjacent audio tokens."""
    before: tuple[int, ...]
    """Text tokens before the first audio token (all of a row without audio)."""
    after: tuple[int, ...]
    """Text tokens after the last audio token."""

    @classmethod
    def of(cls, audio_BT: Tensor, real_BT: Tensor | None = None) -> "Layout":
        """Read the masks of a batch (one copy to the host); `real_BT` None means no padding.

        Raises ValueError if padding is not on the left or audio lies on padding.
        """
        audio = audio_BT.to("cpu", torch.bool)
        real = torch.ones_like(audio) if real_BT is None else real_BT.to("cpu", torch.bool)
        _check_rows(audio, real)
        width = audio.shape[1]
        counts, tokens = audio.sum(1), real.sum(1)
        starts = audio & ~torch.nn.functional.pad(audio, (1, 0))[:, :-1]
        column = torch.arange(width)
        first = torch.where(audio, column, width).amin(1)
        last = torch.where(audio, column, -1).amax(1)
        after = torch.where(counts > 0, width - 1 - last, 0)
        rows = (tokens, counts, starts.sum(1), first - (width - tokens), after)
        return cls(*(tuple(row.tolist()) for row in rows))

    @cached_property
    def width(self) -> int:
        """Columns of the batch: tokens of the longest row."""
        return max(self.tokens)

    @property
    def ragged(self) -> bool:
        """Whether any row is padded."""
        return min(self.tokens) != self.width

    @property
    def pairs(self) -> tuple[int, ...]:
        """Pairs of adjacent audio tokens; none crosses a run."""
        return tuple(audio - runs for audio, runs in zip(self.audio, self.runs, strict=True))

    @property
    def hull(self) -> slice:
        """The columns from the first to the last audio token of any row."""
        with_audio = [row for row, audio in enumerate(self.audio) if audio]
        if not with_audio:
            return slice(0, 0)
        start = min(self.width - self.tokens[row] + self.before[row] for row in with_audio)
        return slice(start, self.width - min(self.after[row] for row in with_audio))

    def real(self, device: torch.device) -> Tensor | None:
        """(B, T) bool, False on padding; None if there is none."""
        return padding_mask(self.tokens, device)

    def reduced(self, tokens: Sequence[int]) -> "Layout":
        """The layout once each row is down to `tokens`, all losses being audio.

        Runs are taken to survive. Where an eviction empties one, `pairs` errs towards too few.
        """
        audio = tuple(old - (before - now) for old, before, now in zip(self.audio, self.tokens, tokens, strict=True))
        return replace(self, tokens=tuple(tokens), audio=audio, runs=tuple(map(min, self.runs, audio)))


def padding_mask(tokens: Sequence[int], device: torch.device) -> Tensor | None:
    """(B, T) bool, False on the left padding of rows of `tokens` length; None if there is none."""
    width = max(tokens)
    if min(tokens) == width:
        return None
    return torch.arange(width, device=device) >= per_row([width - count for count in tokens], device)


def per_row(numbers: Sequence[int], device: torch.device) -> Tensor | int:
    """(B, 1) int64, a number for each row, without waiting for the device; where rows agree, the number itself."""
    if len(set(numbers)) == 1:
        return numbers[0]
    return upload(torch.tensor(numbers), device)[:, None]


def upload(made_by_host: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor on `device`. A GPU gets it from pinned memory, in its turn: a copy from any other memory waits until
    all work given to the GPU before is done."""
    if device.type != "cuda":
        return made_by_host.to(device)
    return made_by_host.pin_memory().to(device, non_blocking=True)


def _check_rows(audio_BT: Tensor, real_BT: Tensor) -> None:
    """Refuse what a left-padded prompt cannot look like, naming the row."""
    for row in (real_BT[:, :-1] & ~real_BT[:, 1:]).any(1).nonzero().flatten().tolist():
        raise ValueError(
            f"row {row} of the batch has padding after a token; pad prompts on the left (padding_side='left')"
        )
    for row in (~real_BT.any(1)).nonzero().flatten().tolist():
        raise ValueError(f"row {row} of the batch is all padding; give every row at least one token")
    for row in (audio_BT & ~real_BT).any(1).nonzero().flatten().tolist():
        raise ValueError(f"audio_mask marks padding as audio in row {row}; mark only tokens that attention_mask keeps")
