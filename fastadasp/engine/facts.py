"""One call of a layer, and what is known from it: attention's window, its kernel's arithmetic, the form of weights.

B rows, H query heads, T tokens, K keys, d channels per head.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from fastadasp.engine.cache import whole_layers
from fastadasp.engine.decoder import AttentionTap
from fastadasp.engine.halves import Layer
from fastadasp.ops.attention import attention_rows

ROWS, TOKENS = 2, 11
"""Rows and tokens of the short prompt with which layers are proved."""
TOLERANCE = {torch.float32: 2e-3, torch.float64: 1e-6, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Greatest difference, relative to what a layer adds; half of the tokens must stay below."""
MARKER = "fastadasp_marker"
"""An argument that decoders are given to see whether it reaches the attention kernel."""


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments with which a layer was called in the short prompt."""

    hidden_BTD: Tensor
    inputs: dict[str, Any]
    config: Any

    def with_fresh_cache(self, **changed: Any) -> dict[str, Any]:
        """The arguments, with an empty cache of their own."""
        inputs = {
            name: empty_cache(self.config) if isinstance(x, DynamicCache) else x for name, x in self.inputs.items()
        }
        return inputs | changed


def empty_cache(config: Any) -> DynamicCache:
    """An empty cache as `generate()` makes it, but with layers that forget nothing."""
    cache = DynamicCache(config=config)
    cache.layers = whole_layers(cache)
    return cache


def short(error: Exception) -> str:
    """An error's first line."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def is_explained(tap: AttentionTap, window: int | None) -> bool:
    """Whether the kernel's answer follows from queries, keys and values by what `ScoreShape` says, and nothing else.

    Looks at the queries that a window hides nothing from.
    """
    most, repeats = min(window or TOKENS, TOKENS), tap.query_BHTd.shape[1] // tap.value_BGTd.shape[1]
    try:
        rows_BHQK = attention_rows(tap.query_BHTd[:, :, :most], tap.key_BGTd, 0, None, tap.scaling, shape=tap.shape)
        values_BHKd = tap.value_BGTd[:, :, :most].float().repeat_interleave(repeats, 1)
        right_BTHd = (rows_BHQK @ values_BHKd).transpose(1, 2)
        error = (right_BTHd - tap.found_BTHd[:, :most].view_as(right_BTHd).float()).norm()
    except (RuntimeError, AttributeError, TypeError):  # of other shapes
        return False
    return bool(error <= TOLERANCE.get(tap.query_BHTd.dtype, 1e-1) * right_BTHd.norm())


def has_weights(module: nn.Module) -> bool:
    """Whether a module has parameters, or packed ones, which PyTorch's quantised layers do not list as such."""
    return next(module.parameters(), None) is not None or "quantized" in type(module).__module__


def is_quantised(layer: nn.Module) -> bool:
    """Whether any weight is no plain floating-point tensor."""
    weights = [*layer.parameters(), *layer.buffers()]
    packed = any("quantized" in type(module).__module__ for module in layer.modules())
    return packed or any(not x.is_floating_point() or type(x.data) is not Tensor for x in weights)


def window_of(layer: Layer, attention: Any, told: dict[str, Any]) -> int | None:
    """How far back attention looks, by what the kernel was told, or by the attention's own attribute or config."""
    if "sliding_window" in told:
        found = told["sliding_window"]
    elif hasattr(attention, "sliding_window"):
        found = attention.sliding_window
    else:
        found = None
    return found if isinstance(found, int) and found > 0 else None
