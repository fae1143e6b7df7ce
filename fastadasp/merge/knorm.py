"""Knorm: keys of small norm, which attract attention, are kept (Devoto et al., EMNLP 2024, arXiv 2406.11430)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class Knorm(CacheMethod):
    """Keep the keys k of each head with the smallest L2 norm: the score is -|k|."""

    def score(self, state: "LayerState") -> "Tensor":
        """Minus the L2 norm of each key."""
        norm_BGT: Tensor = state.keys_BGTd.float().norm(dim=-1)
        return -norm_BGT
