"""AdaKV: heads with widely spread attention keep more tokens (Feng et al., NeurIPS 2025, arXiv 2407.11550)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.merge.rescored import Rescored
from fastadasp.reduction.method import check_share

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class AdaKV(Rescored):
    """Let all key-value heads of a layer share one budget: the tokens with the lowest scores in any head are evicted.

    `ratio` holds on average over the heads of a layer. Example: at `ratio=0.5` and 100 tokens, one head may keep 70
    tokens and another 30. The cache is stored without padding (`fastadasp.engine.ragged`), so that memory is freed
    although heads keep unequal numbers of tokens.
    """

    safeguard: float = 0.2
    """The least share of the average budget that each head keeps, between 0 and 1 (the paper's safeguard)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("merge.safeguard", self.safeguard, "it is the share of the average budget that no head falls below")

    @property
    def uneven(self) -> bool:
        """Whether heads may keep unequal numbers of tokens: always."""
        return True

    def assign(self, state: "LayerState") -> "Assignment":
        """Choose the tokens that stay: one row of the assignment for each row of the batch and each head."""
        from fastadasp.ops.eviction import evict_lowest_of_all_heads

        candidates_BT, newest = self.candidates(state), self.windows(state)
        score_BGT = self.score(state).expand(-1, state.keys_BGTd.shape[1], -1)
        least = [
            int((count - safe) * self.safeguard) for count, safe in zip(self.kept_tokens(state), newest, strict=True)
        ]
        candidates_BGT = candidates_BT[:, None].expand_as(score_BGT)
        return evict_lowest_of_all_heads(score_BGT, candidates_BGT, state.real_BT, newest, least, state.n_remove)
