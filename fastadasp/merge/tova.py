"""TOVA: what the last token looks at (Oren et al., EMNLP 2024, arXiv 2401.06104)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class TOVA(CacheMethod):
    """Keeps the tokens that the prompt's last token attends to, the mean over all heads; the last token itself stays.

    All heads keep the same tokens. At the end of the prompt only, like the other methods here; the paper's goes on.
    """

    def score(self, state: "LayerState") -> "Tensor":
        """Attention of the last token, which scores best itself."""
        score_BT = state.last_attention_BT.clone()
        score_BT[:, -1] = float("inf")
        return score_BT[:, None]
