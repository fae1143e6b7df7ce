"""The two random baselines of the FastAdaSP paper."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.merge.base import MergeMethod

if TYPE_CHECKING:
    from fastadasp.merge.assignment import Assignment
    from fastadasp.merge.state import LayerState


@dataclass(frozen=True)
class RandomMerge(MergeMethod):
    """Fuses random adjacent pairs, with attention weights as in the released code (`random_merge`)."""

    def assign(self, state: "LayerState") -> "Assignment":
        """Fuse random pairs, weighted by attention."""
        return state.fuse(state.random_BT(self.seed), state.attention_received_BT)


@dataclass(frozen=True)
class RandomEvict(MergeMethod):
    """Drops random audio tokens (`random_evict`)."""

    def assign(self, state: "LayerState") -> "Assignment":
        """Drop random tokens."""
        return state.drop(state.random_BT(self.seed))
