"""Affinity pooling inside the decoder (Xiang et al., ACL Findings 2026, arXiv 2604.06871)."""

from dataclasses import dataclass, replace

from fastadasp.reduction.method import MergeMethod
from fastadasp.reduction.pooling import Pooling


@dataclass(frozen=True)
class DeepAffinityPooling(Pooling):
    """Pool hidden states in one deep layer: a token is compared with the last three tokens of the open group.

    Together with affinity pooling at the input, this method is the paper's dual affinity pooling (DAP).
    """

    layer: int | None = None  # type: ignore[assignment]  # settled by `at_depth` before anything asks
    """The decoder layer, counted from 0; null stands for 29/32 of the depth of the decoder, as in the paper."""
    window: int = 3
    """Number of tokens of the open group, from its last token back, with which a token is compared."""

    def check_layer(self) -> None:
        """Check that `layer` is a layer or null. Raises ConfigError."""
        if self.layer is not None:
            super().check_layer()

    def at_depth(self, layers: int) -> MergeMethod:
        """This method with a number in the place of `layer: null`, for a decoder of a known depth."""
        return replace(self, layer=layers * 29 // 32) if self.layer is None else self
