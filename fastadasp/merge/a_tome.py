"""A-ToMe: adjacent token merging (Li et al., Interspeech 2023, arXiv 2306.16009), untrained and inside the decoder."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod, check_threshold

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class ATome(MergeMethod):
    """Fuses adjacent tokens two by two into their mean: the most similar keys first, each token at most once.

    One layer fuses half of a run's tokens at most. In FastAdaSP's version (`atome`) any pair that follows a chosen one
    is lost, so that too few tokens go; here the next best takes its place, as in the paper. Ours: where all that is
    left are single tokens between pairs, the pairs between two of these move by one token, which makes room for one.
    [recon] The paper trains an encoder with it; the decoder's keys, all heads concatenated and rotated, are FastAdaSP's
    reading.
    """

    threshold: float | None = None
    """Fuse only pairs whose cosine is larger: the paper's other policy, with as many pairs as the audio gives; `ratio`,
    if not 0, is then the most that goes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_most_half()
        check_threshold(self.threshold)

    @property
    def adaptive(self) -> bool:
        """Whether the threshold decides."""
        return self.threshold is not None

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse disjoint pairs, best first."""
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
