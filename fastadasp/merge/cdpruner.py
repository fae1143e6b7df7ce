"""CDPruner: diverse and relevant tokens (Zhang et al., NeurIPS 2025, arXiv 2506.10967), applied to audio as in Samp."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import member

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState

Relevance = Enum("Relevance", ["none", "attention"])


@dataclass(frozen=True)
class CDPruner(InputMethod):
    """Keep the tokens that greedy maximum a posteriori inference chooses under a determinantal point process.

    The kernel of the process is r_i cos(x_i, x_j) r_j for the audio embeddings x and their relevance r; the cost is
    O(n² D + n K²) for n audio tokens, K of which are kept. The original computes r with an image-text encoder from the
    question; speech models have no such encoder.
    """

    relevance: Relevance = Relevance.none
    """`none`: all tokens are equally relevant, so that diversity alone decides, beginning with the first token (Samp's
    "cdpruner"). `attention`: relevance is the attention of the token to itself in the last layer of the encoder, the
    largest over heads ("cdpruner-attention")."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "relevance", member(Relevance, "merge.relevance", self.relevance))

    def assign(self, state: "InputState") -> "Assignment":
        """Keep tokens that differ from each other, weighted by their relevance."""
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
