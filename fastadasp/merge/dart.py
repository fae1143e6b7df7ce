"""DART: duplicate tokens are dropped (Wen et al., arXiv 2502.11494), in AudioMarathon's version for audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod, check_count

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class Dart(MergeMethod):
    """Keep the audio tokens that are least similar to a few pivots: audio and text tokens with the largest L1 norm of
    keys.

    The audio pivots are kept. Then each pivot, the audio pivots first and larger norms first, keeps an equal share of
    the remaining budget: the tokens of the lowest cosine to this pivot, after the final norm of the model. The released
    port keeps whole shares only, 4 + 8 floor(n(1-R)/8) tokens, and fixes no order of the pivots; here the budget is
    exact, and the first pivots keep what the division leaves over. The port reads the output of layer K - 1; [recon]
    here the residual stream of this layer after attention is read.
    """

    audio_pivots: int = 4
    """Number of audio tokens that are pivots."""
    text_pivots: int = 4
    """Number of tokens of the text after the audio that are pivots."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.text_pivots", self.text_pivots, "it counts question tokens to compare with")
        check_count("merge.audio_pivots", self.audio_pivots, "it counts audio tokens to compare with", least=1)

    def assign(self, state: "LayerState") -> "Assignment":
        """Keep the audio pivots, and the tokens that are least similar to each pivot."""
        from fastadasp.ops.assignment import choose_top
        from fastadasp.ops.groups import take
        from fastadasp.ops.similarity import cosine

        token_BTD = state.decoder.final_norm(state.hidden_BTD)
        norm_BT = state.keys_BGTd.float().abs().sum((1, 3))
        pivots = min(self.audio_pivots, state.layout.width), min(self.text_pivots, state.layout.width)
        likeness: list[Tensor] = []
        for candidate_BT, count in zip((state.audio_BT, state.question_BT), pivots, strict=True):
            ranked_BT = norm_BT.masked_fill(~candidate_BT, -1).argsort(dim=1, descending=True, stable=True)
            likeness += cosine(token_BTD, take(token_BTD, ranked_BT[:, :count])).unbind(-1)
        kept_BT = choose_top(norm_BT, state.audio_BT, [min(pivots[0], kept) for kept in state.n_keep])
        for likeness_BT, counts in zip(likeness, _quotas(state, *pivots), strict=True):
            kept_BT = kept_BT | choose_top(-likeness_BT, state.audio_BT & ~kept_BT, counts)
        return state.keep_only(kept_BT)


def _quotas(state: "LayerState", audio_pivots: int, text_pivots: int) -> list[tuple[int, ...]]:
    """For each pivot, how many tokens each row keeps by it; a row that lacks some divides by those it has."""
    rows = []
    for kept, after in zip(state.n_keep, state.layout.after, strict=True):
        audio, text = min(audio_pivots, kept), min(text_pivots, after)
        each, extra = divmod(kept - audio, max(1, audio + text))
        quota = [each + (pivot < extra) for pivot in range(audio + text)]
        quota[audio:audio] = [0] * (audio_pivots - audio)
        rows.append(quota + [0] * (text_pivots - text))
    return list(zip(*rows, strict=True))
