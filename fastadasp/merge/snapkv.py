"""SnapKV: tokens that the end of the prompt attends to are kept (Li et al., NeurIPS 2024, arXiv 2404.14469)."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.reduction.cache_method import CacheMethod
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState

_warned: set[tuple[str, int]] = set()
"""What has been said of which window; nothing is said twice."""


@dataclass(frozen=True)
class SnapKV(CacheMethod):
    """Keep the last `window` tokens, and the tokens that they attend to most.

    A score is the mean attention over the queries of the window and the query heads that share a key, smoothed by a
    moving average over `kernel` tokens (zeros beyond the ends). The window is at most half of a row: `window=64` needs
    a prompt of 128 tokens. The reference implementations refuse prompts that are not longer than the window. Where the
    budget is not larger than the window, the newest tokens are kept, and attention decides nothing. One warning is
    given in both cases.
    """

    window: int = 64
    """Number of tokens at the end of the prompt whose attention counts; for a few seconds of audio take fewer, such as
    8."""
    kernel: int = 5
    """Number of neighbouring tokens over which a score is averaged; odd."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.window", self.window, "it is how many tokens at the prompt's end look back", least=1)
        check_count("merge.kernel", self.kernel, "it is how many tokens a score is averaged over", least=1)
        if self.kernel % 2 == 0:
            raise ConfigError(f"merge.kernel must be odd, got {self.kernel}: a score is averaged around its token")

    def score(self, state: "LayerState") -> "Tensor":
        """Smoothed attention of the window; its own tokens have the best scores, the newest token the very best."""
        import torch
        from torch.nn.functional import avg_pool1d

        self.warn_of_short_rows(state)
        attention_BHQT, asks_BQ = state.window_attention(self.window)
        groups, width = state.keys_BGTd.shape[1], attention_BHQT.shape[-1]
        total_BHT = (attention_BHQT * asks_BQ[:, None, :, None]).sum(2)
        mean_BHT = total_BHT / asks_BQ.sum(1)[:, None, None]
        inside_BT = torch.zeros_like(state.audio_BT)
        inside_BT[:, width - asks_BQ.shape[1] :] = asks_BQ
        smooth_BHT = avg_pool1d(mean_BHT.masked_fill(inside_BT[:, None], 0), self.kernel, 1, self.kernel // 2)
        score_BGT = smooth_BHT.view(len(smooth_BHT), groups, -1, width).mean(2)
        return score_BGT.float().where(~inside_BT[:, None], 2.0 + state.column_BT[:, None])  # no attention exceeds 1

    def warn_of_short_rows(self, state: "LayerState") -> None:
        """Warn, once for each window, of a row that is too short for the window, or in which only the window is kept.

        The check does arithmetic on the host alone, without waiting for the device. Where a row holds several clips,
        their tokens inside the window are counted too low rather than too high, so that no warning is false.
        """
        layout = state.layout
        for tokens, audio, before, gone in zip(layout.tokens, layout.audio, layout.before, state.n_remove, strict=True):
            window = max(1, min(self.window, tokens // 2))
            text_behind = tokens - audio - before if self.protect_text else 0
            inside = min(self.removable(audio, tokens - audio), max(0, window - text_behind))
            kept = self.removable(audio, tokens - audio) - gone
            if gone and window < self.window:
                self._warn(
                    "shrinks",
                    f"merge.window={self.window} does not fit a prompt of {tokens} tokens: half of these look back, "
                    f"the last {window}",
                )
            if gone and kept <= inside:
                self._warn(
                    "decides",
                    f"of a prompt of {tokens} tokens, {kept} of those that may go are kept, and the {window} that look "
                    f"back hold {inside} of those: the newest stay, whatever attention says",
                )

    def _warn(self, what: str, message: str) -> None:
        if (what, self.window) not in _warned:
            _warned.add((what, self.window))
            warnings.warn(f"{type(self).__name__}: {message}; choose a smaller merge.window", stacklevel=4)
