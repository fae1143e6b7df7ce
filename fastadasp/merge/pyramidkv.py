"""PyramidKV: lower layers keep more tokens than higher layers (Cai et al., 2024, arXiv 2406.02069)."""

from dataclasses import dataclass

from fastadasp.errors import ConfigError
from fastadasp.merge.snapkv import SnapKV


@dataclass(frozen=True)
class PyramidKV(SnapKV):
    """Keep the tokens that SnapKV prefers, under budgets that fall linearly from layer to layer.

    Beyond the window, the last layer keeps 1 / `beta` of the mean budget, and the mean over layers is what `ratio`
    leaves. Where such a pyramid does not fit (short prompts, high ratios), all layers get the mean budget. The pyramid
    begins at `layer`: layers below it keep all tokens. Example: with a mean budget of 100 tokens beyond the window and
    `beta=20`, the last layer keeps 5 of them and the first 195.
    """

    beta: float = 20.0
    """The mean budget divided by the budget of the last layer; at least 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.beta >= 1:
            raise ConfigError(f"merge.beta must be at least 1, got {self.beta}; 1 is no pyramid, 20 the usual one")

    def kept(self, tokens: int, layer: int, layers: int) -> int:
        """The budget of this layer, its step of the pyramid."""
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
