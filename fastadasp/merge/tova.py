"""TOVA: tokens that the last token attends to are kept (Oren et al., EMNLP 2024, arXiv 2401.06104)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class TOVA(CacheMethod):
    """Keep the tokens that the last token of the prompt attends to most, averaged over all heads, and this last token.

    All heads keep the same tokens. Eviction happens once, at the end of the prompt; in the paper, eviction goes on
    while the answer is generated.
    """

    def score(self, state: "LayerState") -> "Tensor":
        """The attention of the last token, whose own score is the best."""
        score_BT = state.last_attention_BT.clone()
        score_BT[:, -1] = float("inf")
        return score_BT[:, None]
