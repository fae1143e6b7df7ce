"""The two random baselines of the FastAdaSP paper.

A row's draw depends on seed, layer and its number of audio tokens alone, neither on its place in a batch nor on the
device.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fastadasp.merge.assignment import Assignment
from fastadasp.merge.base import MergeMethod
from fastadasp.merge.state import LayerState


def random_scores(state: LayerState, seed: int) -> Tensor:
    """(B, T) float32 in [0, 1): the i-th audio token of a row gets the i-th number of the row's own generator."""
    draws_BN = torch.zeros(len(state.layout.audio), max(state.layout.audio))
    for row, audio in enumerate(state.layout.audio):
        generator = torch.Generator().manual_seed((seed << 42 | state.layer << 32 | audio) % 2**63)
        draws_BN[row, :audio] = torch.rand(audio, generator=generator)
    rank_BT = (state.audio_BT.cumsum(1) - 1).clamp_min(0)
    return draws_BN.to(state.audio_BT.device).gather(1, rank_BT)


@dataclass(frozen=True)
class RandomMerge(MergeMethod):
    """Fuses random adjacent pairs, with attention weights as in the released code (`random_merge`)."""

    def assign(self, state: LayerState) -> Assignment:
        """Fuse random pairs, weighted by attention."""
        return state.fuse(random_scores(state, self.seed), state.attention_received_BT)


@dataclass(frozen=True)
class RandomEvict(MergeMethod):
    """Drops random audio tokens (`random_evict`)."""

    def assign(self, state: LayerState) -> Assignment:
        """Drop random tokens."""
        return state.drop(random_scores(state, self.seed))
