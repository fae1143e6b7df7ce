"""FastAdaSP: attention-weighted merging of similar neighbours (Lu et al., EMNLP 2024 Industry, arXiv 2410.03007)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class FastAdaSP(MergeMethod):
    """Fuse the most similar pairs of adjacent audio tokens into their weighted means sum(w h) / sum(w).

    The similarity of a pair is s_i = cos(k_i, k_{i+1}), with the keys k of this layer, all heads concatenated. The
    weight w_j is the attention that token j receives, summed over all heads and queries. Two details follow the
    released Qwen-Audio code (`merge_weighted`): keys are compared after the rotation, and a run of m chosen pairs
    becomes one token. Example: the chosen pairs (4, 5) and (5, 6) turn the tokens 4, 5 and 6 into one.
    """

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse the most similar pairs, weighted by attention."""
        return state.fuse_best_pairs(state.key_similarity_BT, state.attention_received_BT)
