"""SnapKV: what the end of the prompt looks at (Li et al., NeurIPS 2024, arXiv 2404.14469)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.reduction.cache_method import CacheMethod
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class SnapKV(CacheMethod):
    """Keeps the last `window` tokens and those that they attend to: mean over the window's queries and the heads that
    share a key, smoothed by a moving average of `kernel` tokens (zeros beyond the ends).

    The window is at most half of a row; the reference refuses prompts that are not longer than it.
    """

    window: int = 64
    kernel: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.window", self.window, "it is how many tokens at the prompt's end look back", least=1)
        check_count("merge.kernel", self.kernel, "it is how many tokens a score is averaged over", least=1)
        if self.kernel % 2 == 0:
            raise ConfigError(f"merge.kernel must be odd, got {self.kernel}: a score is averaged around its token")

    def score(self, state: "LayerState") -> "Tensor":
        """Smoothed attention of the window, whose own tokens score best: where it must shrink, its first ones go."""
        import torch
        from torch.nn.functional import avg_pool1d

        attention_BHQT, asks_BQ = state.window_attention(self.window)
        groups, width = state.keys_BGTd.shape[1], attention_BHQT.shape[-1]
        total_BHT = (attention_BHQT * asks_BQ[:, None, :, None]).sum(2)
        mean_BHT = total_BHT / asks_BQ.sum(1)[:, None, None]
        inside_BT = torch.zeros_like(state.audio_BT)
        inside_BT[:, width - asks_BQ.shape[1] :] = asks_BQ
        smooth_BHT = avg_pool1d(mean_BHT.masked_fill(inside_BT[:, None], 0), self.kernel, 1, self.kernel // 2)
        score_BGT = smooth_BHT.view(len(smooth_BHT), groups, -1, width).mean(2)
        return score_BGT.float().where(~inside_BT[:, None], 2.0 + state.column_BT[:, None])  # no attention exceeds 1
