"""Blend: FastAdaSP with every choice of its own open to change, and the ones that measured best as defaults (ours)."""

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
    """Fuses the most similar adjacent pairs, as FastAdaSP does; what "similar" is, what weighs how much in the mean and
    how much may become one token can each be chosen. `similarity=keys weights=received layer=2 positions=packed` is
    FastAdaSP with its own defaults (what each choice is worth: experiments/results/blend).
    """

    layer: int = 0
    """As for all methods. To save as much from a later layer on, more tokens must go there."""
    positions: Positions = Positions.original
    """As for all methods. What is left of the audio keeps its distances in time."""
    similarity: Similarity = Similarity.values
    """Neighbours are compared by the cosine of: `keys` (after the rotation), `unrotated_keys`, `values` (each with all
    heads concatenated), or `hidden`, the residual stream that is fused."""
    weights: Weights = Weights.per_query
    """A token's weight in the mean: attention `received` from all heads and queries; the same `per_query` that can see
    the token (plain sums favour early ones: causal attention lets more queries look at them); attention from the
    `question` alone (`received` where no text follows the audio); the prompt tokens (`size`) that it stands for;
    `plain`, all alike."""
    longest: int = 0
    """Prompt tokens that one token may come to stand for while other pairs are left; then only pairs that do not touch
    are fused at one layer. 0: no limit, and runs of pairs fuse."""
    threshold: float | None = None
    """Pairs of a cosine above it are fused at once, best first, and pairs below when `schedule` asks for them, until as
    much is saved as the schedule would have: more goes early where neighbours are alike, and less late. Without any
    ratio, as many go as exceed it. With `once`, which has no later layers, a ratio is all that counts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_threshold(self.threshold)
        check_count("merge.longest", self.longest, "it is the number of tokens that may become one; 0 for any")
        if self.longest == 1:
            raise ConfigError("merge.longest must be 0 (no limit) or at least 2, got 1: one token is no fusion")

    @property
    def adaptive(self) -> bool:
        """Whether the audio has a say in how much goes where."""
        return self.threshold is not None

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse the most similar pairs, those that stay within `longest` first."""
        cosine_BT = self._score(state)
        score_BT = self._within(state, cosine_BT) if self.longest else cosine_BT
        early_BT = None if self.threshold is None else cosine_BT > self.threshold
        return state.fuse_best_pairs(score_BT, self._weight(state), early_BT)

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
