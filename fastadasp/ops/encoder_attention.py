"""The audio encoder's last self-attention, told token by token of the prompt: what input-site methods rank by.

B rows and T columns of the prompt; C clips of F encoder frames, N audio tokens each; H heads of d channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from fastadasp.ops.layout import per_row, upload

BLOCK_SCORES = 2**24
"""Scores held at once: 64 MiB in float32."""

Heads = Literal["max", "mean"]
"""How the heads' attention maps are made into one."""


@dataclass(frozen=True, eq=False)
class EncoderAttention:
    """Attention between the audio tokens inside the encoder, `stride` frames of which made one token.

    As in Samp (methods after the projector): a map over tokens takes the mean over a token's query frames and the sum
    over its key frames, and frames beyond a clip's last token neither ask nor count. Clips do not see each other.
    Computed in query blocks; no map over frames is ever held.
    """

    queries_CHFd: Tensor
    keys_CHFd: Tensor
    scaling: float
    """Factor of the attention scores; 1 where the queries bear it already."""
    frames: tuple[int, ...]
    """Frames of each clip that the encoder's mask lets through."""
    tokens: tuple[int, ...]
    """Audio tokens of each clip."""
    stride: int
    audio_BT: Tensor
    """bool: where the clips' tokens lie, one clip after another, row by row."""
    repeats: int = 1
    """How often each of these rows stands in the batch (beams), if the encoder ran once for all of them."""

    def received_BT(self, heads: Heads) -> Tensor:
        """(B, T) float32: attention on each audio token, summed over its clip's tokens; 0 elsewhere."""
        return self._spread(self._max[0] if heads == "max" else self._mean[0])

    def own_BT(self, heads: Heads) -> Tensor:
        """(B, T) float32: attention of each audio token on itself, the diagonal of the map; 0 elsewhere."""
        return self._spread(self._max[1] if heads == "max" else self._mean[1])

    @cached_property
    def keys_BTd(self) -> Tensor:
        """(B, T, d) float32: each audio token's key, the mean over heads and frames; 0 elsewhere."""
        keys_CFd = self.keys_CHFd.float().mean(1)[:, : self._length]
        keys_CNd = keys_CFd.view(len(keys_CFd), -1, self.stride, keys_CFd.shape[-1]).mean(2)
        return self._spread(keys_CNd)

    @cached_property
    def _max(self) -> tuple[Tensor, Tensor]:
        return self._maps("max")

    @cached_property
    def _mean(self) -> tuple[Tensor, Tensor]:
        return self._maps("mean")

    @property
    def _length(self) -> int:
        """Frames that hold whole tokens of the longest clip."""
        return max(self.tokens) * self.stride

    def _maps(self, heads: Heads) -> tuple[Tensor, Tensor]:
        """(C, N) column sums and (C, N) diagonal of the clips' token maps."""
        clips, count, frames, _ = self.queries_CHFd.shape
        device = self.queries_CHFd.device
        column = torch.arange(frames, device=device)
        seen_CF = (column < per_row(self.frames, device)).expand(clips, -1)
        asks_CF = (column < per_row(self.tokens, device) * self.stride).expand(clips, -1)
        block = max(1, BLOCK_SCORES // (clips * count * frames * self.stride)) * self.stride
        keys_CHdF = self.keys_CHFd.float().transpose(2, 3)  # float16 overflows before products are scaled
        received, own = [], []
        for first in range(0, self._length, block):
            rows = slice(first, min(first + block, self._length))
            scores = (self.queries_CHFd[:, :, rows].float() @ keys_CHdF).mul_(self.scaling)
            attention = scores.masked_fill_(~seen_CF[:, None, None], -torch.inf).softmax(-1)[..., : self._length]
            attention_CQF = attention.amax(1) if heads == "max" else attention.mean(1)
            attention_CQF = attention_CQF * asks_CF[:, rows, None]
            queries = attention_CQF.shape[1] // self.stride
            map_CQN = attention_CQF.view(clips, queries, self.stride, -1, self.stride).sum(4).mean(2)
            received.append(map_CQN.sum(1))
            own.append(map_CQN.diagonal(first // self.stride, 1, 2))
        return torch.stack(received).sum(0), torch.cat(own, 1)

    def _spread(self, value_CN: Tensor) -> Tensor:
        """(B, T, ...) from one value for each clip and token; B counts repeated rows."""
        width = value_CN.shape[1]
        real = [clip * width + token for clip, count in enumerate(self.tokens) for token in range(count)]
        flat = value_CN.flatten(0, 1)[upload(torch.tensor(real), value_CN.device)]
        shape = *self.audio_BT.shape, *value_CN.shape[2:]
        mask = self.audio_BT.view(*self.audio_BT.shape, *(1 for _ in value_CN.shape[2:]))
        return flat.new_zeros(shape).masked_scatter(mask, flat).repeat_interleave(self.repeats, 0)


def tokens_per_clip(frames: Sequence[int], audio_BT: Tensor, stride: int | None = None) -> tuple[tuple[int, ...], int]:
    """Audio tokens of each clip, and frames that make one, from the clips' frames and the prompt's audio columns.

    One run of audio for each clip is taken at its word; otherwise (long audio, cut for the encoder, in one run) frames
    tell. stride: frames that make one token, where the model says so. Raises ValueError if the numbers do not fit.
    """
    audio = int(audio_BT.sum())
    runs = torch.bincount(_starts(audio_BT).flatten().cumsum(0)[audio_BT.flatten()])[1:].tolist()
    stride = stride or max(1, sum(frames) // max(1, audio))
    tokens = runs if len(runs) == len(frames) else [count // stride for count in frames]
    if sum(tokens) != audio or any(count * stride > most for count, most in zip(tokens, frames, strict=True)):
        raise ValueError(
            f"the audio encoder read {len(frames)} clips of {list(frames)} frames, which do not make the {audio} audio "
            f"tokens of the prompt at {stride} frames each; this method needs prompts whose tokens follow the "
            "encoder's frames one after another"
        )
    return tuple(tokens), stride


def count_runs(audio_BT: Tensor) -> int:
    """Maximal stretches of adjacent audio tokens, in all rows."""
    return int(_starts(audio_BT).sum())


def _starts(audio_BT: Tensor) -> Tensor:
    return audio_BT & ~torch.nn.functional.pad(audio_BT, (1, 0))[:, :-1]
