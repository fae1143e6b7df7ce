"""Full tokens: the baseline, which removes nothing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class NoReduction(MergeMethod):
    """Keep every token. A ratio other than 0 is refused, so that no result carries a ratio that was not applied."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.given_ratio or self.has_target:
            raise ConfigError(
                f"merge=none removes nothing: merge.ratio must be 0, and merge.layer_ratio, merge.flops_reduction and "
                f"merge.tokens_kept null, got {self.amount}; choose a method (merge=fastadasp) to reduce tokens"
            )

    def assign(self, state: "LayerState") -> "Assignment":
        """Each token in its own slot: none is to go."""
        return state.fuse_best_pairs(state.key_similarity_BT)
