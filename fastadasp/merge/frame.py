"""Frame: tokens at even distances are kept (a plain and strong baseline of AudioMarathon, arXiv 2510.07293)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState, State


@dataclass(frozen=True)
class Frame(MergeMethod):
    """Keep K of the n audio tokens of a row, those with index floor(i n / K) for i = 0 .. K - 1, whatever they hold.

    Example: of n = 10 tokens, K = 4 keeps the tokens 0, 2, 5 and 7.
    """

    def assign(self, state: "LayerState") -> "Assignment":
        """Keep evenly spaced tokens."""
        return state.keep_only(evenly_spaced(state, state.n_keep))


def evenly_spaced(state: "State", counts: "Sequence[int]") -> "Tensor":
    """(B, T) bool: audio tokens floor(i n / K) of each row, K being `counts[b]`."""
    from fastadasp.ops.layout import per_row

    rank_BT = state.rank_BT
    audio_B1, kept_B1 = (per_row([max(n, 1) for n in row], rank_BT.device) for row in (state.layout.audio, counts))
    index_BT = (rank_BT * kept_B1 + audio_B1 - 1) // audio_B1  # the first i with i n / K >= rank
    return state.audio_BT & (index_BT * audio_B1 // kept_B1 == rank_BT)
