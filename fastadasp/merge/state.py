"""What a method may look at when it decides.

B rows (left-padded), T columns, D channels, H query heads, G key-value heads, d channels per head. Everything derived
is computed when a method first asks for it, so that none pays for what it does not use.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.merge.assignment import Assignment, choose_top, fuse_pairs, keep_only
from fastadasp.merge.attention import attention_received
from fastadasp.merge.layout import Layout
from fastadasp.merge.similarity import adjacent_key_cosine


@dataclass(frozen=True, eq=False)
class LayerState:
    """One decoder layer during prefill, between attention and MLP."""

    layer: int
    """Index of the layer, from 0."""
    layout: Layout
    audio_BT: Tensor
    """bool: which columns are audio."""
    real_BT: Tensor | None
    """bool: False on padding; None if no row is padded."""
    budget: tuple[int, ...]
    """Audio tokens to remove from each row, as the schedule has it."""
    hidden_BTD: Tensor
    """The residual stream after attention: the tokens that the assignment will move."""
    queries_BHTd: Tensor
    """After the rotary rotation, as are the keys."""
    keys_BGTd: Tensor
    values_BGTd: Tensor
    scaling: float
    """Factor of the attention scores."""

    @cached_property
    def pair_BT(self) -> Tensor:
        """(B, T) bool: token t and t + 1 are both audio."""
        return pad(self.audio_BT[:, :-1] & self.audio_BT[:, 1:], (0, 1))

    @cached_property
    def rank_BT(self) -> Tensor:
        """(B, T) int64: how many audio tokens of the row stand before this one; defined where `audio_BT`."""
        return (self.audio_BT.cumsum(1) - 1).clamp_min(0)

    @cached_property
    def run_BT(self) -> Tensor:
        """(B, T) int64: how many runs of audio the row has begun up to this token, so that a run's tokens share one."""
        return (self.audio_BT & ~pad(self.audio_BT[:, :-1], (1, 0))).cumsum(1)

    @cached_property
    def key_similarity_BT(self) -> Tensor:
        """(B, T) float32: cosine of the keys of t and t + 1, all heads concatenated; defined where `pair_BT`."""
        return self._spread(adjacent_key_cosine(self.keys_BGTd[:, :, self.layout.hull]))

    @cached_property
    def attention_received_BT(self) -> Tensor:
        """(B, T) float32: attention on each audio token, summed over all heads and queries of this layer."""
        return self._spread(
            attention_received(self.queries_BHTd, self.keys_BGTd, self.layout.hull, self.real_BT, self.scaling)
        )

    def random_BT(self, seed: int) -> Tensor:
        """(B, T) float32 in [0, 1): the i-th audio token of a row gets the i-th number of the row's own generator.

        A row's draw depends on seed, layer and its number of audio tokens alone, neither on its place in a batch nor on
        the device.
        """
        draws_BN = torch.zeros(len(self.layout.audio), max(self.layout.audio))
        for row, audio in enumerate(self.layout.audio):
            generator = torch.Generator().manual_seed((seed << 42 | self.layer << 32 | audio) % 2**63)
            draws_BN[row, :audio] = torch.rand(audio, generator=generator)
        return draws_BN.to(self.audio_BT.device).gather(1, self.rank_BT)

    def fuse(self, score_BT: Tensor, weight_BT: Tensor | None = None) -> Assignment:
        """Fuse the `budget` (or all) audio pairs with the largest scores; a run of chosen pairs becomes one token.

        score_BT: of token t and t + 1. weight_BT: of each token in the mean; None for equal weights.
        """
        counts = tuple(map(min, self.budget, self.layout.pairs))
        chosen = choose_top(score_BT, self.pair_BT, counts)
        weight_BT = torch.ones_like(score_BT) if weight_BT is None else weight_BT
        return fuse_pairs(chosen, weight_BT, self.real_BT, self._left(counts))

    def drop(self, score_BT: Tensor) -> Assignment:
        """Drop the `budget` audio tokens with the largest scores."""
        return self.retain(~choose_top(score_BT, self.audio_BT, self.budget))

    def keep(self, score_BT: Tensor) -> Assignment:
        """Keep the audio tokens with the largest scores, dropping `budget`."""
        return self.retain(choose_top(score_BT, self.audio_BT, self.kept))

    @property
    def kept(self) -> tuple[int, ...]:
        """Audio tokens that `budget` leaves to each row."""
        return tuple(audio - count for audio, count in zip(self.layout.audio, self.budget, strict=True))

    def retain(self, kept_BT: Tensor) -> Assignment:
        """Drop the audio tokens that `kept_BT` does not mark; they must be `budget` many."""
        keep_BT = kept_BT | ~self.audio_BT
        if self.real_BT is not None:
            keep_BT = keep_BT & self.real_BT
        return keep_only(keep_BT, self._left(self.budget))

    def _left(self, removed: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(tokens - count for tokens, count in zip(self.layout.tokens, removed, strict=True))

    def _spread(self, value_BN: Tensor) -> Tensor:
        """Values of the audio hull's columns, on all columns; zero elsewhere."""
        hull = self.layout.hull
        return pad(value_BN, (hull.start, self.layout.width - hull.stop))
