"""ChunkKV: chunks of adjacent tokens are kept or evicted as a whole (Liu et al., NeurIPS 2025, arXiv 2502.00299)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.merge.rescored import Rescored
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class ChunkKV(Rescored):
    """Keep the chunks of `chunk` adjacent tokens with the largest scores: the means over the tokens of a chunk and all
    heads.

    All heads keep the same tokens. A chunk lies within one clip: each clip begins with a chunk, and may end with a
    shorter one. Where the budget ends inside a chunk, the tokens of this chunk with the largest scores are kept; the
    reference implementations round to whole chunks. Example: with `chunk=10` and a budget of 25 tokens, two chunks and
    five tokens of a third are kept. The paper lets the next layers reuse the choice of one layer; this is left out,
    since the scores cost little compared with the prefill.
    """

    chunk: int = 10
    """Number of tokens of a chunk."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.chunk", self.chunk, "it is how many adjacent tokens stay or go together", least=1)

    def score(self, state: "LayerState") -> "Tensor":
        """(B, 1, T) float32: minus the rank of each token, by the score of its chunk first and by its own score
        second."""
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
