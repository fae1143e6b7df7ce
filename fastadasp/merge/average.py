"""FastAdaSP with plain instead of weighted means (`merge_ave` in the released code): an ablation of the weights."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class Average(MergeMethod):
    """Fuse the most similar adjacent pairs, chosen as in FastAdaSP, into their plain mean; no attention scores are
    needed."""

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse the most similar pairs, all tokens alike."""
        return state.fuse_best_pairs(state.key_similarity_BT)
