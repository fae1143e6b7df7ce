"""FastV: dropping what the last prompt token does not look at (Chen et al., ECCV 2024, arXiv 2403.06764)."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState

Queries = Enum("Queries", ["last", "all"])


@dataclass(frozen=True)
class FastV(MergeMethod):
    """Keeps the audio tokens that the last token of the prompt attends to most, averaged over heads.

    FastV's "layer K" prunes what enters layer K by the attention of layer K - 1: this is `layer` = K - 1 here, where
    pruning saves that layer's MLP as well and changes nothing else. One attention row is recomputed, so that fused
    kernels stay on; ports that read it from a model that returns none prune by something else.
    """

    queries: Queries = Queries.last
    """Whose attention counts: `last`, or that of `all` tokens in sum, which FastAdaSP's code calls FastV (`evicit`)."""

    def assign(self, state: "LayerState") -> "Assignment":
        """Keep the tokens that get the most attention."""
        return state.keep_top(state.last_attention_BT if self.queries is Queries.last else state.attention_received_BT)
