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
    """Keeps, for each head, the newest tokens and those that have received the most attention from all tokens so far.

    While the answer is generated, attention goes on being summed up and each new token pushes out the weakest, so that
    the cache never outgrows what the prompt left in it. The prompt is read in one piece, as in the paper's system; its
    simulation, which evicts while it reads, would see other sums. FastAdaSP's `kv_evict` baseline has `recent` 0 and
    `decode` false (there the ratio is the share kept; here it is the share removed, as everywhere).
    """

    recent: float = 0.5
    """Share of the kept tokens that are the newest ones (of the audio, if text is protected)."""
    decode: bool = True
    """Go on evicting while the answer is generated; false: after the prompt only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.recent <= 1:
            raise ConfigError(f"merge.recent must lie in [0, 1], got {self.recent}; it is a share of the kept tokens")

    @property
    def evicts_while_decoding(self) -> bool:
        """Whether new tokens push out old ones."""
        return self.decode

    def newest(self, kept: int) -> int:
        """The recent window; a token that has just been read stays for at least a step."""
        return max(int(kept * self.recent), int(self.decode and kept > 0))

    def score(self, state: "LayerState") -> "Tensor":
        """Attention received from the whole prompt."""
        return state.attention_received_BGT
