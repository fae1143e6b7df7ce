"""Expected attention: keys that future queries are expected to attend to (Devoto et al., 2025, arXiv 2510.00636)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.reduction.cache_method import CacheMethod
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class ExpectedAttention(CacheMethod):
    """Model future queries as Gaussian, and keep the keys k and values v with the largest E[attention] |v|.

    The mean m and covariance C of the Gaussian are those of the prompt's queries before the rotation, turned by the
    mean rotation over the next `future` positions. E[attention] = softmax(s m·k + s² k'Ck / 2), where s is the scale of
    the attention scores, is averaged over the query heads that share k. The first `sinks` tokens take no part in this
    mean and covariance, and are always kept.
    """

    future: int = 512
    """Number of positions after the prompt over which the rotation of queries is averaged."""
    sinks: int = 4
    """Number of tokens at the beginning that are always kept."""
    epsilon: float = 0.0
    """Added to the expected attention before it is multiplied by |v|, so that large values count even where
    E[attention] is 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.future", self.future, "it is how many positions ahead are averaged", least=1)
        check_count("merge.sinks", self.sinks, "it is how many tokens at the beginning stay")
        if not self.epsilon >= 0:
            raise ConfigError(f"merge.epsilon must not be negative, got {self.epsilon}")

    def score(self, state: "LayerState") -> "Tensor":
        """Expected attention times the norm of the value; the sinks have the best scores."""
        import torch

        shape = state.score_shape
        if shape.softcap is not None:
            raise ValueError(
                f"expected attention is known for scores without a cap, and this model caps its scores at "
                f"{shape.softcap} (attn_logit_softcapping); choose another method, such as snapkv"
            )
        real_BT = torch.ones_like(state.audio_BT) if state.real_BT is None else state.real_BT
        sink_BT = real_BT.cumsum(1) <= self.sinks
        counts_BT = real_BT & ~sink_BT
        mean_BHd, covariance_BHdd = state.future_queries(counts_BT, self.future)
        keys_BGTd, groups = state.keys_BGTd.float(), state.keys_BGTd.shape[1]
        mean_BGRd = mean_BHd.view(len(mean_BHd), groups, -1, mean_BHd.shape[-1])
        covariance_BGRdd = covariance_BHdd.view(*mean_BGRd.shape, -1)
        logits_BGRT = mean_BGRd @ keys_BGTd.transpose(2, 3) * state.scaling
        turned_BGRTd = keys_BGTd[:, :, None] @ covariance_BGRdd
        logits_BGRT += (turned_BGRTd * keys_BGTd[:, :, None]).sum(-1) * (state.scaling**2 / 2)
        least = torch.finfo(torch.float32).min
        logits_BH1T = logits_BGRT.masked_fill(~counts_BT[:, None, None], least).flatten(1, 2)[:, :, None]
        expected_BGT = shape.softmax(logits_BH1T).view_as(logits_BGRT).mean(2)
        score_BGT: Tensor = (expected_BGT + self.epsilon) * state.values_BGTd.float().norm(dim=-1)
        return score_BGT.masked_fill(sink_BT[:, None], float("inf"))
