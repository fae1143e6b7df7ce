"""Affinity pooling inside the decoder (Xiang et al., ACL Findings 2026, arXiv 2604.06871)."""

from dataclasses import dataclass, replace

from fastadasp.reduction.method import MergeMethod
from fastadasp.reduction.pooling import Pooling


@dataclass(frozen=True)
class DeepAffinityPooling(Pooling):
    """Affinity pooling of hidden states in one deep layer, three tokens back. Both together are the paper's DAP."""

    layer: int | None = None  # type: ignore[assignment]  # settled by `at_depth` before anything asks
    """null: 29/32 of the decoder's depth, as the paper has it."""
    window: int = 3

    def check_layer(self) -> None:
        """As for any method, or none."""
        if self.layer is not None:
            super().check_layer()

    def at_depth(self, layers: int) -> MergeMethod:
        """With a layer."""
        return replace(self, layer=layers * 29 // 32) if self.layer is None else self
