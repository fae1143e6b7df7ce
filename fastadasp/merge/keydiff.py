"""KeyDiff: keys that differ from the other keys are kept (Park et al., 2025, arXiv 2504.15364)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class KeyDiff(CacheMethod):
    """Keep the keys k of each head that differ most from the mean direction of keys: the score is -cos(k, mean of k /
    |k|).

    The mean is taken over all tokens of the prompt.
    """

    def score(self, state: "LayerState") -> "Tensor":
        """Minus the cosine of each key with the mean direction of the keys of its head."""
        from torch.nn.functional import cosine_similarity, normalize

        direction_BGTd = normalize(state.keys_BGTd.float(), dim=-1)
        if state.real_BT is not None:
            direction_BGTd = direction_BGTd * state.real_BT[:, None, :, None]
        anchor_BG1d = direction_BGTd.sum(2, keepdim=True)  # the cosine does not see the length
        return -cosine_similarity(state.keys_BGTd.float(), anchor_BG1d, dim=-1)
