"""The log-sum-exp of each query's scores: fused attention computes it on its way and does not hand it out.

With it, a probability is exp(score - lse) and needs no softmax of its own (Dao, FlashAttention-2, 2023, section 3.1).

B rows, H query heads, T queries.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_TELLING = {
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "flash_attn::_flash_attn_forward",
}
"""Operators whose second result is the natural log-sum-exp of the scaled scores, by head."""
_ASKED = "compute_log_sumexp"
"""The argument without which some of them leave it out."""


class LogSumExpTap(TorchDispatchMode):
    """Context manager: notes what the fused attention inside, whichever kernel PyTorch picks, says of its queries."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._told: Any = None

    def __torch_dispatch__(
        self, operator: Any, _: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if operator is torch.ops.aten.scaled_dot_product_attention.default:  # in inference mode it comes here whole
            with self:
                return operator.decompose(*args, **kwargs)
        if operator._schema.name not in _TELLING:
            return operator(*args, **kwargs)
        names = [argument.name for argument in operator._schema.arguments]
        if _ASKED in names:
            place = names.index(_ASKED)
            args = (*args[:place], True, *args[place + 1 :])
        result = operator(*args, **kwargs)
        self._told = result[1]
        return result

    def lse_BHT(self, queries_BHTd: Tensor) -> Tensor | None:
        """(B, H, T) float32 for the attention of these queries; None if no kernel has told it."""
        if not isinstance(self._told, Tensor) or self._told.dtype != torch.float32 or self._told.ndim < 3:
            return None
        lse_BHT = self._told.flatten(2)[..., : queries_BHTd.shape[2]]  # (B, H, T, 1), or T rounded up, with some
        return lse_BHT if lse_BHT.shape == queries_BHTd.shape[:3] else None
