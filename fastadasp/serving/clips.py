"""Reducing the audio tokens of clips that a server has encoded, before they meet the text of a prompt.

C clips, N audio tokens of the longest, D channels of the decoder's embeddings, S tokens of the longest after it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from fastadasp.errors import ConfigError
from fastadasp.ops.assignment import apply
from fastadasp.ops.encoder_attention import EncoderAttention
from fastadasp.ops.layout import Layout
from fastadasp.reduction.input_method import InputMethod, removed_tokens
from fastadasp.reduction.state import DecoderParts, InputState

AttendEncoder = Callable[[Tensor], EncoderAttention]
"""From the (C, N) mask of audio tokens to the encoder's attention between them."""

CHECKED_TOKENS = 24
"""Audio tokens of the clip on which a method is tried before a server starts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipState(InputState):
    """Clips alone: a server encodes them before, and often without, the text of the prompt."""

    @property
    def question_BT(self) -> Tensor:
        """ValueError: there is no text."""
        raise ValueError("it compares audio with the text of the prompt, which a server's audio encoder does not see")


def kept_tokens(audio: int, ratio: float) -> int:
    """How many of a clip's `audio` tokens stay: what runs with `merge.ratio` keep too."""
    return audio - removed_tokens(audio, ratio)


def reduce_clips(
    clips: Sequence[Tensor], kept: Sequence[int], method: InputMethod, attend_encoder: AttendEncoder | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """Each clip with `kept` of its tokens, and where these stood.

    clips: (n, D) each, as they would go into the decoder. kept: S of each clip, from 1 to n.
    attend_encoder: needed for methods that look at the encoder's attention. Returns tokens (S, D) of the clips' type,
    and (S,) int64 numbers, from 0, of the first token that each of them stands for. Raises ValueError where the method
    needs what a server does not have, or leaves another number of tokens.
    """
    counts, kept = tuple(len(clip) for clip in clips), tuple(kept)
    if counts == kept:
        return list(clips), [torch.arange(count, device=clip.device) for clip, count in zip(clips, counts, strict=True)]
    removed = tuple(count - left for count, left in zip(counts, kept, strict=True))
    state = _state(clips, counts, removed, attend_encoder)
    assignment = method.assign(state)
    if assignment.lengths != kept:
        raise ValueError(
            f"{type(method).__name__} left {list(assignment.lengths)} of {list(counts)} audio tokens where a server "
            f"has room for {list(kept)}"
        )
    reduced_CSD, padding = apply(state.hidden_BTD, assignment), max(counts)
    tokens = [row_SD[len(row_SD) - count :] for row_SD, count in zip(reduced_CSD, kept, strict=True)]
    places = [
        row_S[len(row_S) - count :] - (padding - whole)
        for row_S, count, whole in zip(assignment.first, kept, counts, strict=True)
    ]
    return tokens, places


def _state(
    clips: Sequence[Tensor], counts: tuple[int, ...], removed: tuple[int, ...], attend: AttendEncoder | None
) -> ClipState:
    """What the method sees: a left-padded batch that holds nothing but audio."""
    hidden_CND = pad_sequence(list(clips), batch_first=True, padding_side="left")
    nothing = (0,) * len(clips)
    layout = Layout(tokens=counts, audio=counts, runs=(1,) * len(clips), before=nothing, after=nothing)
    real_CN = layout.real(hidden_CND.device)
    audio_CN = torch.ones(hidden_CND.shape[:2], dtype=torch.bool, device=hidden_CND.device)
    audio_CN = audio_CN if real_CN is None else real_CN

    def encoder() -> EncoderAttention:
        if attend is None:
            raise ValueError("it needs the attention of the audio encoder, which this model does not show in a server")
        return attend(audio_CN)

    return ClipState(
        layer=0,
        layout=layout,
        audio_BT=audio_CN,
        real_BT=real_CN,
        size_BT=torch.ones(audio_CN.shape, device=audio_CN.device),
        n_remove=removed,
        hidden_BTD=hidden_CND,
        decoder=DecoderParts(_no_decoder, 1, nn.Identity(), _no_decoder),
        attend_encoder=encoder,
    )


def _no_decoder(*_: object) -> NoReturn:
    raise ValueError("it needs weights of the decoder, which a server's audio encoder does not see")


def check_on_clips(method: InputMethod, *, encoder: bool) -> bool:
    """Try the method on random clips, so that a server that cannot run it does not start.

    encoder: whether the model shows the attention of its audio encoder. Returns whether the method looks at that.
    Raises ConfigError with the reason why the method cannot be served.
    """
    generator = torch.Generator().manual_seed(0)
    lengths = (CHECKED_TOKENS, CHECKED_TOKENS - 3)
    clips = [torch.randn(length, 16, generator=generator) for length in lengths]
    asked = []

    def attend(audio_CN: Tensor) -> EncoderAttention:
        asked.append(True)
        queries, keys = torch.randn(2, 2, 1, 2 * CHECKED_TOKENS, 8, generator=generator)
        frames = tuple(2 * length for length in lengths)
        return EncoderAttention(queries, keys, 1.0, frames, lengths, 2, audio_CN)

    try:
        reduce_clips(clips, [length // 2 for length in lengths], method, attend if encoder else None)
    except ValueError as error:
        raise ConfigError(f"{type(method).__name__} cannot be served: {error}") from error
    return bool(asked)
