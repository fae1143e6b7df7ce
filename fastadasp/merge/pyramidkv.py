"""PyramidKV: lower layers keep more (Cai et al., 2024, arXiv 2406.02069)."""

from dataclasses import dataclass

from fastadasp.errors import ConfigError
from fastadasp.merge.snapkv import SnapKV


@dataclass(frozen=True)
class PyramidKV(SnapKV):
    """SnapKV's choice under budgets that fall linearly from layer to layer, to cap / `beta` beyond the window.

    Their mean is what `ratio` leaves. Where the pyramid does not fit (short prompts, high ratios), all layers get that.
    It stands on `layer`: with one above 0, budgets fall over the layers from there on.
    """

    beta: float = 20.0
    """How many times the last layer's budget goes into the mean; at least 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.beta >= 1:
            raise ConfigError(f"merge.beta must be at least 1, got {self.beta}; 1 is no pyramid, 20 the usual one")

    def kept(self, tokens: int, layer: int, layers: int) -> int:
        """The layer's step of the pyramid."""
        mean = super().kept(tokens, layer, layers)
        least = mean / self.beta
        most = 2 * mean - least
        if most >= tokens - self.window:
            most = tokens - self.window
            least = 2 * mean - most
        place, last = layer - self.layer, layers - 1 - self.layer
        if not tokens >= most >= least >= self.window or last == 0:
            return mean
        step = min(place, last - place)
        count = round(most - step * (most - least) / last) if 2 * step < last else mean
        return count if place == step else 2 * mean - count  # so that rounding does not change the mean
