"""DivPrune: the most diverse tokens (Alvar et al., CVPR 2025, arXiv 2503.02175), applied to audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class DivPrune(InputMethod):
    """Keep a set of tokens whose smallest mutual distance 1 - cos is as large as a greedy search makes it.

    The search begins with the token that is farthest from its nearest neighbour, and then always adds the token that is
    farthest from the tokens already kept. The cost is O(n² D) for n audio tokens.
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
