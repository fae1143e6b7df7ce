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
    """Keeps the first `sinks` removable tokens and the newest ones, in all heads alike; looks at nothing but order."""

    sinks: int = 4
    """Tokens kept at the beginning: of the audio, or of the prompt if `protect_text` is false."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.sinks", self.sinks, "it is how many tokens at the beginning stay")

    def score(self, state: "LayerState") -> "Tensor":
        """The later, the better; sinks best."""
        rank_BT = self.candidates(state).cumsum(1)
        return rank_BT.float().masked_fill(rank_BT <= self.sinks, float("inf"))[:, None]
