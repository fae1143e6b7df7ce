"""AdaKV: heads whose attention is spread out keep more (Feng et al., NeurIPS 2025, arXiv 2407.11550)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.merge.rescored import Rescored
from fastadasp.reduction.method import check_share

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class AdaKV(Rescored):
    """All key-value heads of a layer share one budget: what scores lowest in any of them goes.

    `ratio` holds on average over a layer's heads. The cache is stored without padding (`fastadasp.engine.ragged`), so
    that memory is freed although heads keep unlike numbers of tokens.
    """

    safeguard: float = 0.2
    """Share of the average budget that each head keeps at least."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("merge.safeguard", self.safeguard, "it is the share of the average budget that no head falls below")

    @property
    def uneven(self) -> bool:
        """Always."""
        return True

    def assign(self, state: "LayerState") -> "Assignment":
        """One row for each row of the batch and each head."""
        from fastadasp.ops.eviction import evict_lowest_of_all_heads

        candidates_BT, newest = self.candidates(state), self.windows(state)
        score_BGT = self.score(state).expand(-1, state.keys_BGTd.shape[1], -1)
        least = [
            int((count - safe) * self.safeguard) for count, safe in zip(self.kept_tokens(state), newest, strict=True)
        ]
        candidates_BGT = candidates_BT[:, None].expand_as(score_BGT)
        return evict_lowest_of_all_heads(score_BGT, candidates_BGT, state.real_BT, newest, least, state.n_remove)
