"""Blend (ours): FastAdaSP with its design choices as settings; the choices that scored best are the defaults."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.reduction.method import MergeMethod, Positions, check_count, check_threshold

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState

Similarity = Enum("Similarity", ["keys", "unrotated_keys", "values", "hidden"])
Weights = Enum("Weights", ["received", "per_query", "question", "size", "plain"])


@dataclass(frozen=True)
class Blend(MergeMethod):
    """Fuse the most similar adjacent pairs, as FastAdaSP does, with a choice of the similarity, of the weights in the
    mean, and of how many tokens may become one. Example: `similarity=keys weights=received layer=2 positions=packed` is
    FastAdaSP with its own defaults. The effect of each choice is measured in experiments/results/blend.
    """

    layer: int = 0
    """The first layer that fuses, as in all methods. A later layer must remove more tokens to save the same FLOPs."""
    positions: Positions = Positions.original
    """Rotary positions after fusing, as in all methods. `kept`, the default here, keeps the distances in time."""
    similarity: Similarity = Similarity.values
    """Similarity of neighbours is the cosine of one of these: `keys` (after the rotation), `unrotated_keys`, `values`
    (each with all heads concatenated), or `hidden`, the residual stream that is fused."""
    weights: Weights = Weights.per_query
    """The weight of a token in the mean. `received`: the attention that the token receives from all heads and queries.
    `per_query`: the same, divided by the number of queries that can see the token (causal attention lets more queries
    look at early tokens, so that plain sums favour these). `question`: the attention from the text after the audio
    (`received` where no text follows). `size`: the number of prompt tokens that the token stands for. `plain`: equal
    weights."""
    longest: int = 0
    """The most prompt tokens that one fused token may stand for while other pairs are left; with such a limit, only
    pairs without a common token are fused at one layer. 0 sets no limit, and runs of pairs become one token."""
    keep_norm: bool = False
    """Whether a fused token gets the weighted mean of its tokens' norms as its norm. A mean of vectors that point in
    different directions is shorter than they are, so that what later layers add to the token would weigh more."""
    threshold: float | None = None
    """Pairs whose cosine exceeds this number are fused at the first layer, the most similar first. Other pairs are
    fused when `schedule` asks for them, until as many FLOPs are saved as by the schedule alone: where neighbours are
    alike, more tokens go early and fewer go late. Without a ratio, exactly the pairs above this number are fused. With
    `schedule=once`, which has no later layers, the ratio alone decides."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_threshold(self.threshold)
        check_count("merge.longest", self.longest, "it is the number of tokens that may become one; 0 for any")
        if self.longest == 1:
            raise ConfigError("merge.longest must be 0 (no limit) or at least 2, got 1: one token is no fusion")
        if self.keep_norm and self.earlier_caches:
            raise ConfigError(
                "merge.keep_norm=true cannot be combined with merge.earlier_caches=true: the factor that gives a fused "
                "token its norm back would scale the keys and values in the caches as well; set one of them to false"
            )

    @property
    def adaptive(self) -> bool:
        """Whether the audio itself decides how many tokens are removed at which layer."""
        return self.threshold is not None

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse the most similar pairs; pairs whose result stays within `longest` come first."""
        cosine_BT = self._score(state)
        score_BT = self._within(state, cosine_BT) if self.longest else cosine_BT
        early_BT = None if self.threshold is None else cosine_BT > self.threshold
        assignment = state.fuse_best_pairs(score_BT, self._weight(state), early_BT)
        return assignment.with_norm_of(state.hidden_BTD) if self.keep_norm else assignment

    def _score(self, state: "LayerState") -> "Tensor":
        """(B, T) float32 cosine of each token with the next; defined where `pair_BT`."""
        from fastadasp.ops.similarity import adjacent_cosine, adjacent_key_cosine

        hull = state.layout.hull
        match self.similarity:
            case Similarity.keys:
                return state.key_similarity_BT
            case Similarity.unrotated_keys:
                found_BN = adjacent_key_cosine(state.unrotated_keys_BGTd[:, :, hull])
            case Similarity.values:
                found_BN = adjacent_key_cosine(state.values_BGTd[:, :, hull])
            case _:
                found_BN = adjacent_cosine(state.hidden_BTD[:, hull])
        return state.from_hull(found_BN)

    def _within(self, state: "LayerState", score_BT: "Tensor") -> "Tensor":
        """The scores (cosines); pairs that touch no better one and stay within `longest` come above the others."""
        from torch.nn.functional import pad

        from fastadasp.ops.adjacent import disjoint_pairs

        together_BT = state.size_BT + pad(state.size_BT[:, 1:], (0, 1))
        first_BT = disjoint_pairs(score_BT, state.pair_BT & (together_BT <= self.longest))
        return score_BT + 4.0 * first_BT

    def _weight(self, state: "LayerState") -> "Tensor | None":
        """(B, T) float32; None for equal weights."""
        match self.weights:
            case Weights.received:
                return state.attention_received_BT
            case Weights.per_query:
                return state.attention_received_BT / (state.layout.width - state.column_BT)
            case Weights.question:
                return self._from_question(state)
            case Weights.size:
                return state.size_BT
            case _:
                return None

    def _from_question(self, state: "LayerState") -> "Tensor":
        """(B, T) attention of the text after the audio, summed over heads and queries."""
        first = state.layout.width - max(state.layout.after)
        if not max(state.layout.after):
            return state.attention_received_BT
        asked_B1W1 = state.question_BT[:, None, first:, None]
        summed_BT = (state.attention_from(first) * asked_B1W1).sum((1, 2))
        return summed_BT.where(state.question_BT.any(1, keepdim=True), state.attention_received_BT)
