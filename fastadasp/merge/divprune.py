"""DivPrune: the most diverse tokens (Alvar et al., CVPR 2025, arXiv 2503.02175), applied to audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class DivPrune(InputMethod):
    """Keeps a set of tokens whose smallest distance 1 - cos is as large as a greedy choice makes it.

    First the token farthest from its nearest neighbour, then always the one farthest from those kept. O(n² D).
    """

    def assign(self, state: "InputState") -> "Assignment":
        """Keep the most diverse tokens."""
        from fastadasp.ops.diversity import farthest_choice
        from fastadasp.ops.similarity import cosine

        token_BND = state.hidden_BTD[:, state.layout.hull]
        distance_BNN = 1 - cosine(token_BND, token_BND)
        return state.keep_only(
            state.from_hull(farthest_choice(distance_BNN, state.audio_BT[:, state.layout.hull], state.n_keep))
        )
