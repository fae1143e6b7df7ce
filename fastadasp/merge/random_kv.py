"""Random eviction from the cache: the baseline of the cache methods."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class RandomKV(CacheMethod):
    """Keep randomly chosen tokens, drawn anew for each head of each layer."""

    def score(self, state: "LayerState") -> "Tensor":
        """Random numbers that depend on nothing but `seed`, layer, head and the number of removable tokens of the
        row."""
        counts = self.removable_tokens(state.layout)
        return state.random(self.seed, self.candidates(state), counts, state.keys_BGTd.shape[1])
