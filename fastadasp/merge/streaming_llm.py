"""StreamingLLM: attention sinks and the newest tokens (Xiao et al., ICLR 2024, arXiv 2309.17453)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.cache_method import CacheMethod
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class StreamingLLM(CacheMethod):
    """Keep the first `sinks` removable tokens and the newest tokens, the same in all heads; only the order of tokens
    counts."""

    sinks: int = 4
    """Number of tokens kept at the beginning of the audio, or of the prompt if `protect_text` is false."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.sinks", self.sinks, "it is how many tokens at the beginning stay")

    def score(self, state: "LayerState") -> "Tensor":
        """The position of each token; the sinks have the best scores."""
        rank_BT = self.candidates(state).cumsum(1)
        return rank_BT.float().masked_fill(rank_BT <= self.sinks, float("inf"))[:, None]
