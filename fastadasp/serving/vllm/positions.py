"""Positions of fused tokens: each keeps that of the first token that it stands for.

vLLM plans positions before the audio is encoded, and asks models that prune for corrections once it is. Between the
two, a token carries its place in the clip in three more channels, as digits that every number format holds exactly.

N tokens of a prompt, S audio tokens of a clip after reduction, D channels of the decoder's embeddings.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BASE = 128
DIGITS = 3
"""Enough for clips of two million tokens; bfloat16 holds whole numbers up to 256."""
AXES = 3
"""Of vLLM's M-RoPE; here all three hold the same position."""


class Clip(NamedTuple):
    """The placeholders of a clip in a prompt."""

    first: int
    """Column of the first."""
    tokens: int
    """Placeholders."""
    whole: int
    """Tokens that the clip has without reduction."""


def with_places(tokens_SD: Tensor, place_S: Tensor) -> Tensor:
    """(S, D + 3): tokens that carry their places."""
    powers = torch.tensor([BASE**power for power in range(DIGITS)], device=place_S.device)
    return torch.cat([tokens_SD, (place_S[:, None] // powers % BASE).to(tokens_SD.dtype)], dim=1)


def without_places(carrying_SD: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (S, D) and their places (S,) int64."""
    powers = torch.tensor([BASE**power for power in range(DIGITS)], device=carrying_SD.device)
    return carrying_SD[:, :-DIGITS], (carrying_SD[:, -DIGITS:].long() * powers).sum(1)


def planned_positions(tokens: int, clips: Sequence[Clip]) -> tuple[Tensor, int]:
    """(3, N) int64 positions and what is to be added to the columns of later tokens, before the audio is encoded.

    Text has the positions that it would have without reduction. The tokens of a clip are spread evenly over its time
    until `corrected_positions` knows better.
    """
    position_N = torch.arange(tokens)
    for clip in clips:
        last = clip.first + clip.tokens
        start = int(position_N[clip.first])
        position_N[last:] += clip.whole - clip.tokens
        position_N[clip.first : last] = start + torch.arange(clip.tokens) * clip.whole // max(1, clip.tokens)
    return position_N.expand(AXES, -1).clone(), _ahead(position_N)


def corrected_positions(
    ids_N: Tensor, audio_id: int, places: Sequence[Tensor], position_3N: Tensor, computed: int
) -> tuple[Tensor, int]:
    """`planned_positions` with the true ones of the audio tokens that are read in this step.

    places: of the clips, or parts of clips, whose placeholders come after the first `computed` tokens, in their order.
    Each clip's placeholders must have text on both sides.
    """
    if not places:
        return position_3N, _ahead(position_3N[0])
    position_3N = position_3N.clone()
    place = torch.cat(list(places)).to(position_3N.device)
    audio_N = (ids_N == audio_id).to(position_3N.device)
    column = audio_N.nonzero().flatten()
    column = column[column >= computed][: len(place)]
    number_N = torch.arange(len(audio_N), device=column.device)
    text_before_N = number_N.masked_fill(audio_N, -1).cummax(0).values[column]
    start = torch.where(text_before_N >= 0, position_3N[0, text_before_N.clamp_min(0)] + 1, 0)
    position_3N[:, column] = (start + place).to(position_3N.dtype)
    return position_3N, _ahead(position_3N[0])


def _ahead(position_N: Tensor) -> int:
    """How much further the next token's position is than its column."""
    return int(position_N[-1]) + 1 - len(position_N)
