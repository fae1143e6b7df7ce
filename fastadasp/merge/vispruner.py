"""VisPruner: important and diverse tokens are kept (Zhang et al., ICCV 2025, arXiv 2412.01818), for audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import check_share

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class VisPruner(InputMethod):
    """Keep important tokens by attention, and drop duplicates among the others.

    A share `important` of the budget (by default half) is filled with the tokens that receive the most attention in the
    last layer of the encoder, the largest over heads. The other tokens are thinned out by dropping, four at a time,
    tokens that resemble another token. Each round ranks the tokens at even places of the remaining list by their
    largest cosine with a token at an odd place. After a round, the list holds the surviving even tokens and then the
    odd tokens: its order is no longer that of time, as in the release.
    """

    important: float = 0.5
    """Share of the kept tokens that is chosen by attention, between 0 and 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("merge.important", self.important, "it is the share of the tokens left that attention chooses")

    def assign(self, state: "InputState") -> "Assignment":
        """Keep the important tokens, and diverse tokens among the others."""
        from fastadasp.ops.assignment import choose_top
        from fastadasp.ops.diversity import thinned_choice
        from fastadasp.ops.similarity import cosine

        hull = state.layout.hull
        important = [round(self.important * kept) for kept in state.n_keep]
        important_BT = choose_top(state.encoder.received_BT("max"), state.audio_BT, important)
        diverse = [kept - few for kept, few in zip(state.n_keep, important, strict=True)]
        rows = zip(state.layout.audio, important, diverse, strict=True)
        others = [audio - few if more else 0 for audio, few, more in rows]
        token_BND, other_BN = state.hidden_BTD[:, hull], (state.audio_BT & ~important_BT)[:, hull]
        diverse_BN = thinned_choice(cosine(token_BND, token_BND), other_BN, others, diverse)
        return state.keep_only(important_BT | state.from_hull(diverse_BN))
