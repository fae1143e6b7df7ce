"""FastAdaSP without its weights (`merge_ave` in the released code): the ablation that shows what they are worth."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class Average(MergeMethod):
    """Fuses the most similar adjacent pairs, as FastAdaSP does, into their plain mean; needs no attention scores."""

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse the most similar pairs, all tokens alike."""
        return state.fuse_best_pairs(state.key_similarity_BT)
