"""FastV: tokens that the last prompt token ignores are dropped (Chen et al., ECCV 2024, arXiv 2403.06764)."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod, member

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState

Queries = Enum("Queries", ["last", "all"])


@dataclass(frozen=True)
class FastV(MergeMethod):
    """Keep the audio tokens that the last token of the prompt attends to most, averaged over heads.

    The paper's "layer K" prunes the input of layer K by the attention of layer K - 1. Here this is `layer` = K - 1,
    after whose attention tokens are dropped; the MLP of that layer is saved as well, and nothing else differs. Example:
    the paper's K = 2 is `layer=1`. One row of attention is recomputed, so that fused attention kernels stay in use.
    """

    queries: Queries = Queries.last
    """Whose attention counts: that of the `last` token, or the sum over `all` tokens, which FastAdaSP's code calls
    FastV (`evicit`)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "queries", member(Queries, "merge.queries", self.queries))

    def assign(self, state: "LayerState") -> "Assignment":
        """Keep the tokens that get the most attention."""
        return state.keep_top(state.last_attention_BT if self.queries is Queries.last else state.attention_received_BT)
