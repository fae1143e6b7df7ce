"""VisPruner: important tokens, and diverse ones beside them (Zhang et al., ICCV 2025, arXiv 2412.01818), for audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import check_share

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class VisPruner(InputMethod):
    """Keeps, as half of what stays, the tokens that get the most attention in the encoder's last layer (largest over
    heads), and thins the others out by dropping, four at a time, tokens that resemble another.

    Each round ranks the tokens at even places of the list that is left by their best cosine with one at an odd place.
    After a round the list holds the surviving even ones, then the odd ones, so places are no longer in time, as in the
    release.
    """

    important: float = 0.5
    """Share of the tokens left that attention chooses."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("merge.important", self.important, "it is the share of the tokens left that attention chooses")

    def assign(self, state: "InputState") -> "Assignment":
        """Keep important and diverse tokens."""
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
