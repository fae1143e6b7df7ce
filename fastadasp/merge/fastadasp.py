"""FastAdaSP: attention-weighted merging of similar neighbours (Lu et al., EMNLP 2024 Industry, arXiv 2410.03007)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class FastAdaSP(MergeMethod):
    """Fuses the most similar adjacent pairs, s_i = cos(k_i, k_{i+1}) of this layer's keys, into sum(w h) / sum(w).

    The weight w_j is the attention that token j gets, summed over all heads and queries. As in the released Qwen-Audio
    code (`merge_weighted`): keys are compared after the rotation, and a run of m chosen pairs makes one token of m + 1.
    """

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse the most similar pairs, weighted by attention."""
        return state.fuse_best_pairs(state.key_similarity_BT, state.attention_received_BT)
