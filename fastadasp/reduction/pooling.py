"""Pooling of tokens that resemble those just before, at the input or in a layer (Xiang et al., arXiv 2604.06871)."""

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod, check_count, check_threshold, member

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import State

Affinity = Enum("Affinity", ["any", "mean"])


@dataclass(frozen=True)
class Pooling(MergeMethod):
    """A scan in time with one open group: a token joins it if its cosine with the group's last `window` tokens exceeds
    `threshold`, or opens the next; each group becomes its mean.

    Without a threshold, the `ratio` with the highest affinities join [recon]; for `window` 1 this is the threshold that
    removes as many. The paper tells neither how several cosines are combined nor which positions fused tokens get.
    """

    threshold: float | None = None
    """Cosine; null: as many join as `ratio` says. With both, `ratio` is the most that goes."""
    window: int = 1
    """Tokens of the open group to compare with, from its last one back."""
    affinity: Affinity = Affinity.any
    """`any`: one of them must resemble the token; `mean`: they must on average."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "affinity", member(Affinity, "merge.affinity", self.affinity))
        check_threshold(self.threshold)
        check_count("merge.window", self.window, "it counts tokens to compare with", least=1)

    @property
    def adaptive(self) -> bool:
        """Whether the threshold decides."""
        return self.threshold is not None

    def assign(self, state: "State") -> "Assignment":
        """Pool groups of tokens."""
        from fastadasp.ops.adjacent import look_back_affinity, look_back_groups
        from fastadasp.ops.assignment import choose_top

        hull = state.layout.hull
        pair_BT = state.pair_BT
        follows_BN = pair_BT.roll(1, 1)[:, hull]
        affinity_BNW = look_back_affinity(state.hidden_BTD[:, hull], self.window, mean=self.affinity is Affinity.mean)
        starts_BN, joined_BN = look_back_groups(
            affinity_BNW, follows_BN, -math.inf if self.threshold is None else self.threshold
        )
        joins_BT, score_BT = (state.from_hull(x).roll(-1, 1) for x in (~starts_BN, joined_BN))
        counts = tuple(map(min, state.n_remove, state.layout.pairs))
        if self.amount is not None or not self.adaptive:
            joins_BT = joins_BT & choose_top(score_BT, joins_BT, counts)
        return state.fuse_pairs(joins_BT, removed=None if self.adaptive else counts)
