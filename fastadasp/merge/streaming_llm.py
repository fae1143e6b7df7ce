"""StreamingLLM: attention sinks and the newest tokens (Xiao et al., ICLR 2024, arXiv 2309.17453)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.merge.base import check_count
from fastadasp.merge.cache import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.merge.state import LayerState


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
