"""The random merging baseline of the FastAdaSP paper (arXiv 2410.03007, section 4)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class RandomMerge(MergeMethod):
    """Fuse randomly chosen adjacent pairs, weighted by attention as in the released code (`random_merge`)."""

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse random pairs, weighted by attention."""
        return state.fuse_best_pairs(state.random_BT(self.seed), state.attention_received_BT)
