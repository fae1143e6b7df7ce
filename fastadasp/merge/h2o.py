"""H2O: heavy hitters and recent tokens (Zhang et al., NeurIPS 2023, arXiv 2306.14048)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class H2O(CacheMethod):
    """Keep, in each head, the newest tokens and the tokens that have received the most attention from all tokens so
    far.

    While the answer is generated, attention is summed on, and each new token replaces the token with the smallest sum,
    so that the cache never grows beyond what the prompt has left in it. The prompt is read in one piece, as in the
    paper's system; the paper's simulation evicts while the prompt is read, and sees other sums. FastAdaSP's baseline
    `kv_evict` is `recent=0 decode=false` (in FastAdaSP's code, the ratio is the share kept; here the ratio is the share
    removed, as in all methods).
    """

    recent: float = 0.5
    """Share of the kept tokens that are chosen because they are the newest (of the audio, if text is protected)."""
    decode: bool = True
    """Whether eviction goes on while the answer is generated; false evicts once, after the prompt."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.recent <= 1:
            raise ConfigError(f"merge.recent must lie in [0, 1], got {self.recent}; it is a share of the kept tokens")

    @property
    def evicts_while_decoding(self) -> bool:
        """Whether new tokens replace old tokens while the answer is generated."""
        return self.decode

    def newest(self, kept: int) -> int:
        """Number of newest tokens that are kept whatever their sums; at least 1, so that a new token stays for one
        step."""
        return max(int(kept * self.recent), int(self.decode and kept > 0))

    def score(self, state: "LayerState") -> "Tensor":
        """The attention that each token has received from all tokens of the prompt."""
        return state.attention_received_BGT
