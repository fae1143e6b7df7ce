"""The random baseline of the cache methods."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class RandomKV(CacheMethod):
    """Keeps random tokens, each head of each layer its own."""

    def score(self, state: "LayerState") -> "Tensor":
        """Numbers that depend on `seed`, layer, head and the row's number of removable tokens alone."""
        counts = self.removable_tokens(state.layout)
        return state.random(self.seed, self.candidates(state), counts, state.keys_BGTd.shape[1])
