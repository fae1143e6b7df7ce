"""ChunkKV: whole stretches of time stay or go (Liu et al., NeurIPS 2025, arXiv 2502.00299)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.merge.rescored import Rescored
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class ChunkKV(Rescored):
    """Keeps the chunks of `chunk` adjacent tokens with the largest scores, the mean over their tokens and all heads.

    All heads keep the same tokens. A chunk never crosses two clips, so that each begins with a chunk and may end with a
    shorter one. Where the budget ends inside a chunk, its tokens with the largest scores stay; the reference
    implementations round to whole chunks. The paper's re-use of a layer's choice in the next one is left out, since
    scores are cheap beside the prefill.
    """

    chunk: int = 10
    """Tokens of a chunk."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.chunk", self.chunk, "it is how many adjacent tokens stay or go together", least=1)

    def score(self, state: "LayerState") -> "Tensor":
        """(B, 1, T): minus the place of each token in the order of chunks, then of tokens inside them."""
        import torch

        score_BT = self.inner.score(state).float().clamp_max(1e30).sum(1)
        number_BT = self.chunks(state)
        mean_BC = chunk_means(score_BT, number_BT)
        place_BC = mean_BC.argsort(dim=1, descending=True, stable=True).argsort(1)
        by_score = score_BT.argsort(dim=1, descending=True, stable=True)
        by_chunk = place_BC.gather(1, number_BT.clamp_min(0)).gather(1, by_score).argsort(dim=1, stable=True)
        place_BT = torch.empty_like(by_score).scatter_(1, by_score.gather(1, by_chunk), state.column_BT)
        return -place_BT[:, None].float()

    def chunks(self, state: "LayerState") -> "Tensor":
        """(B, T) int64: the number of each removable token's chunk in its row; -1 for the others."""
        from torch.nn.functional import pad

        candidate_BT, column_BT = self.candidates(state), state.column_BT
        begins_BT = candidate_BT & ~pad(candidate_BT[:, :-1], (1, 0))
        since_BT = column_BT - column_BT.masked_fill(~begins_BT, 0).cummax(1).values
        first_BT = candidate_BT & (since_BT % self.chunk == 0)
        return (first_BT.cumsum(1) - 1).masked_fill(~candidate_BT, -1)


def chunk_means(score_BT: "Tensor", number_BT: "Tensor") -> "Tensor":
    """(B, T): in column c the mean score of chunk c, minus infinity where a row has no chunk of that number."""
    from fastadasp.ops.assignment import Assignment

    rows, length = score_BT.shape
    chunks = Assignment(number_BT, score_BT, (length,) * rows)
    size_BC = chunks.total((number_BT >= 0).float())
    return (chunks.total(score_BT) / size_BC.clamp_min(1)).masked_fill(size_BC == 0, float("-inf"))
