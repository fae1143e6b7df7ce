"""A-ToMe: adjacent token merging (Li et al., Interspeech 2023, arXiv 2306.16009), untrained and inside the decoder."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod, check_threshold

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class ATome(MergeMethod):
    """Fuse pairs of adjacent tokens into their means: the pair with the most similar keys first, each token at most
    once.

    One layer fuses at most half of the tokens of a run of adjacent audio tokens. Example: of the pairs (1, 2), (2, 3)
    and (3, 4) with similarities 0.9, 0.8 and 0.7, the pairs (1, 2) and (3, 4) are fused.

    In FastAdaSP's version (`atome`), a pair that touches a chosen pair is lost, and its part of the budget is lost too;
    here the next best pair is fused instead, as in the paper. An addition of ours: where only single tokens between
    pairs are left, the pairs between two such tokens move by one token, which makes room for one more. [recon] The
    paper trains an encoder with this layer. That similarity is the cosine of the decoder's keys, all heads concatenated
    and after the rotation, follows FastAdaSP's code.
    """

    threshold: float | None = None
    """Fuse only pairs whose cosine is larger than this number, the paper's second policy: the audio then decides how
    many pairs are fused, and `ratio`, unless 0, is the largest share that is removed. Example: 0.9."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_most_half()
        check_threshold(self.threshold)

    @property
    def adaptive(self) -> bool:
        """Whether the threshold decides how many tokens are removed."""
        return self.threshold is not None

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse disjoint pairs of adjacent tokens, the most similar pair first."""
        from fastadasp.ops.adjacent import disjoint_pairs
        from fastadasp.ops.assignment import choose_top
        from fastadasp.ops.matching import add_pairs

        score_BT, pair_BT = state.key_similarity_BT, state.pair_BT
        if self.threshold is not None:
            pair_BT = pair_BT & (score_BT > self.threshold)
        pair_BT = disjoint_pairs(score_BT, pair_BT)
        if self.amount is not None or not self.adaptive:
            pair_BT = pair_BT & choose_top(score_BT, pair_BT, state.n_remove)
        if self.adaptive:
            return state.fuse_pairs(pair_BT)
        layout = state.layout
        if any(3 * gone > pairs for gone, pairs in zip(state.n_remove, layout.pairs, strict=True)):
            pair_BT = add_pairs(score_BT, state.audio_BT, pair_BT, state.n_remove)
        removed = tuple(min(gone, audio // 2) for gone, audio in zip(state.n_remove, layout.audio, strict=True))
        known = max(layout.runs) <= 1  # else runs of odd length may hold fewer pairs
        known = known or all(2 * gone <= pairs for gone, pairs in zip(removed, layout.pairs, strict=True))
        return state.fuse_pairs(pair_BT, removed=removed if known else None)
