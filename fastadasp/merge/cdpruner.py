"""CDPruner: diverse and relevant tokens (Zhang et al., NeurIPS 2025, arXiv 2506.10967), moved to audio as in Samp."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState

Relevance = Enum("Relevance", ["none", "attention"])


@dataclass(frozen=True)
class CDPruner(InputMethod):
    """Keeps the greedy MAP of a determinantal point process with kernel r_i cos(x_i, x_j) r_j. O(n² D + n K²).

    The original's relevance r asks an image-text encoder about the question, which speech models lack.
    """

    relevance: Relevance = Relevance.none
    """`none`: all alike, so diversity alone and the first token first (Samp's "cdpruner"); `attention`: the token's
    attention to itself in the encoder's last layer, largest over heads ("cdpruner-attention")."""

    def assign(self, state: "InputState") -> "Assignment":
        """Keep diverse (and relevant) tokens."""
        from fastadasp.ops.diversity import determinantal_choice
        from fastadasp.ops.similarity import cosine

        hull = state.layout.hull
        token_BND = state.hidden_BTD[:, hull]
        kernel_BNN = cosine(token_BND, token_BND)
        kernel_BNN.diagonal(dim1=1, dim2=2).fill_(1)  # so that rounding does not choose the first token
        if self.relevance is Relevance.attention:
            relevance_BN = state.encoder.own_BT("max")[:, hull]
            kernel_BNN = relevance_BN[..., None] * kernel_BNN * relevance_BN[:, None]
        return state.keep_only(state.from_hull(determinantal_choice(kernel_BNN, state.audio_BT[:, hull], state.n_keep)))
