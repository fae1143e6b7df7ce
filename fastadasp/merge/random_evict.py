"""The random eviction baseline of the FastAdaSP paper (arXiv 2410.03007, section 4)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class RandomEvict(MergeMethod):
    """Drop randomly chosen audio tokens (`random_evict` in the released code)."""

    def assign(self, state: "LayerState") -> "Assignment":
        """Drop random tokens."""
        return state.drop_top(state.random_BT(self.seed))
