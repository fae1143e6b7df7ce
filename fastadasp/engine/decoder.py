"""The decoder inside a transformers model: finding it, the masks that its kernels want, reading what attention sees.

B rows (left-padded), Q queries, K keys, H query heads, G key-value heads, d channels per head, D hidden channels.
"""

import sys
import threading
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from fastadasp.errors import UnsupportedError
from fastadasp.ops.attention import ScoreShape
from fastadasp.ops.log_sum_exp import LogSumExpTap

LISTS = ("layers", "h", "blocks", "block")
"""Names under which decoders keep their list of layers."""


def find_decoder(model: nn.Module) -> Any:
    """The one text decoder (token embedding and a list of layers) of a causal LM or SpeechLM; ValueError if not one."""
    found = decoders(model)
    if len(found) != 1:
        names = ", ".join(f"{type(module).__name__} at .{name}" for name, module in found.items()) or "none"
        raise UnsupportedError(
            f"merging() needs a model with one text decoder; {type(model).__name__} has {len(found)} ({names}); "
            f"pass the part that reads the audio and writes the text{_hint(model, list(found))}"
        )
    return next(iter(found.values()))


def decoders(model: nn.Module) -> dict[str, nn.Module]:
    """All modules, by name, that have a token embedding and a list of layers beside each other."""
    modules = dict(model.named_modules())
    found = {name: module for name, module in modules.items() if hasattr(module, "embed_tokens") and _list(module)}
    if found:
        return found
    return {
        name: module
        for name, module in modules.items()
        if _list(module) and any(isinstance(child, nn.Embedding) for child in module.children()) and _reads_text(module)
    }


def _list(module: nn.Module) -> str | None:
    return next((name for name in LISTS if isinstance(getattr(module, name, None), nn.ModuleList)), None)


def _reads_text(module: Any) -> bool:
    """Whether a transformers model embeds tokens here, rather than positions or classes."""
    return hasattr(module, "get_input_embeddings") and module.get_input_embeddings() in module.children()


def _hint(model: nn.Module, found: list[str]) -> str:
    parts = [name.split(".")[0] for name in found]
    readers = sorted({part for part in parts if hasattr(getattr(model, part, None), "generate")})
    return f", which is probably one of {', '.join('model.' + part for part in readers)}" if readers else ""


def layers_of(decoder: Any) -> nn.ModuleList:
    """The decoder's layers."""
    layers: nn.ModuleList = getattr(decoder, _list(decoder) or LISTS[0])
    return layers


def check_kernel(attention: Any, *, proportional: bool = False) -> None:
    """Refuse attention kernels whose masks are not known here.

    proportional: whether the kernel must also take a bias.
    """
    implementation = implementation_of(attention)
    if implementation not in ("eager", "sdpa") and "flash" not in implementation:
        raise UnsupportedError(
            f"merging() does not support attention {implementation!r}; load the model with "
            "attn_implementation='sdpa', 'eager' or 'flash_attention_2'"
        )
    if proportional and "flash" in implementation:
        raise UnsupportedError(
            f"merge.proportional=true adds log sizes to attention scores, and {implementation!r} takes no such bias; "
            "load the model with attn_implementation='sdpa' or 'eager' (hardware.attention), or set "
            "merge.proportional=false"
        )


def attention_mask(
    attention: Any,
    real_BK: Tensor | None,
    hidden_BQD: Tensor,
    keys: int,
    bias_BK: Tensor | None = None,
    window: int | None = None,
    *,
    always: bool = False,
) -> Tensor | None:
    """The mask that the kernel of `attention` wants for the last Q of `keys` positions; None where it needs none.

    real_BK: False on padding, None without any. Padding sees itself, so that no kernel meets an empty row.
    bias_BK: what all queries add to the scores of each key, if anything.
    window: how many tokens a query looks back, itself included; None for all.
    always: make a mask, with a row for each row of the batch, even where the kernel needs none.
    """
    implementation, queries = implementation_of(attention), hidden_BQD.shape[1]
    window = None if window is None or window >= keys else window
    if "flash" in implementation:
        return real_BK
    plain = real_BK is None and bias_BK is None and window is None
    if not always and plain and (queries == 1 or (queries == keys and implementation == "sdpa")):
        return None
    column = torch.arange(keys, device=hidden_BQD.device)
    row = column[keys - queries :, None]
    mask = (column <= row)[None, None]
    if window is not None:
        mask = mask & (column > row - window)
    if real_BK is not None:
        mask = (mask & real_BK[:, None, None]) | (column == row)
    elif always:
        mask = mask.expand(len(hidden_BQD), -1, -1, -1)
    if implementation == "sdpa" and bias_BK is None:
        return mask
    dtype = hidden_BQD.dtype
    added = torch.zeros_like(mask, dtype=dtype) if bias_BK is None else bias_BK[:, None, None].to(dtype)
    return added.masked_fill(~mask, torch.finfo(dtype).min)


def implementation_of(attention: Any) -> str:
    """Name of the attention kernel that a module's config asks for."""
    return str(attention.config._attn_implementation)


class AttentionTap:
    """Records query, key and value of one attention call as its kernel gets them: after rotation, norms and cache.

    Fused kernels return no scores, and recomputing a projection would need the code of each family. So we select a
    recording attention kernel for the one call inside `with`; it stores query, key and value, and then calls the
    original kernel.
    """

    KERNEL = "fastadasp_tap"

    lse_BHT: Tensor | None = None
    """(B, H, Q) float32: natural log-sum-exp of each query's scores; None where the kernel does not tell it."""

    def __init__(self, attention: Any) -> None:
        self.attention = attention
        self.config = attention.config
        self.thread = threading.get_ident()
        self.calls = 0
        self.query_BHTd: Any = None
        """None until attention has been called."""
        self.found_BTHd: Any = None
        """The output of the kernel; None until attention has been called."""

    @property
    def shape(self) -> ScoreShape:
        """The changes of attention scores that the kernel was asked for (soft cap, sinks)."""
        return ScoreShape(self.told.get("softcap"), self.told.get("s_aux"))

    @property
    def _attn_implementation(self) -> str:
        """Other threads that use the model meanwhile go on with the real kernel."""
        return self.KERNEL if threading.get_ident() == self.thread else str(self.config._attn_implementation)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.config, name)

    def __enter__(self) -> "AttentionTap":
        self.attention.config = self
        return self

    def __exit__(self, *_: object) -> None:
        self.attention.config = self.config

    def record(
        self, query_BHTd: Tensor, key_BGTd: Tensor, value_BGTd: Tensor, mask: Tensor | None, told: dict[str, Any]
    ) -> None:
        """Keep what the kernel gets, and step aside while the real kernel runs."""
        self.calls += 1
        self.query_BHTd, self.key_BGTd, self.value_BGTd = query_BHTd, key_BGTd, value_BGTd
        self.mask, self.told = mask, told
        scaling = told.get("scaling")
        self.scaling: float = query_BHTd.shape[-1] ** -0.5 if scaling is None else scaling
        self.attention.config = self.config


def _tapped_kernel(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, *args: Any, **kwargs: Any
) -> Any:
    tap: AttentionTap = module.config
    tap.record(query, key, value, attention_mask, kwargs)
    kernel = ALL_ATTENTION_FUNCTIONS.get_interface(module.config._attn_implementation, _eager(module))
    # Only without a mask is attention known to be causal and nothing else; kernels do not agree on sinks in the sum.
    if attention_mask is not None or tap.shape.sinks_H is not None:
        result = kernel(module, query, key, value, attention_mask, *args, **kwargs)
    else:
        with LogSumExpTap() as told:
            result = kernel(module, query, key, value, None, *args, **kwargs)
        tap.lse_BHT = told.lse_BHT(query)
    tap.found_BTHd = result[0]
    module.config = tap  # some modules call the kernel several times
    return result


def _eager(module: Any) -> Any:
    """The plain kernel of the file that defines this attention, or the class that this attention derives from."""
    files = (sys.modules[kind.__module__] for kind in type(module).__mro__)
    return next((file.eager_attention_forward for file in files if hasattr(file, "eager_attention_forward")), None)


AttentionInterface.register(AttentionTap.KERNEL, _tapped_kernel)
