"""ToMe: token merging by bipartite matching (Bolya et al., ICLR 2023, arXiv 2210.09461), kept in temporal order."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class Tome(MergeMethod):
    """Fuse tokens at even places into the most similar tokens at odd places, the most similar pairs first.

    Several tokens may be fused into one, and at most 50 % of the tokens are removed. The similarity is the cosine of
    the mean key over heads. Means are weighted by the size of a token, the number of prompt tokens that the token
    stands for. A fused token takes the place of its first member (the order of ToMe itself is not temporal), and tokens
    of different runs are never fused. Proportional attention (the log of the size added to the attention scores), a
    part of ToMe, is the option `proportional` here, as for all methods, since flash attention takes no bias.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_most_half()

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse the best matches; the size of a token is its weight."""
        from fastadasp.ops.assignment import choose_top

        audio_BT, odd_BT = state.audio_BT, state.rank_BT % 2 == 1
        best_BT, into_BT = state.best_match(state.keys_BGTd.float().mean(1), audio_BT & ~odd_BT, audio_BT & odd_BT)
        matched_BT = best_BT > -2
        counts = tuple(min(gone, audio // 2) for gone, audio in zip(state.n_remove, state.layout.audio, strict=True))
        fused_BT = matched_BT & choose_top(best_BT, matched_BT, counts)
        one_run = max(state.layout.runs) <= 1  # else an even token may be without an odd one in its run
        return state.fuse_into(into_BT.where(fused_BT, state.column_BT), state.size_BT, counts if one_run else None)
