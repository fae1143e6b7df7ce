"""What a layer's attention heads add to the residual stream, one by one.

B rows, T tokens, H query heads of d channels, D hidden channels.
"""

from typing import Any

from torch import Tensor, nn


def head_output(attention: Any, head: int, value_BTd: Tensor) -> Tensor:
    """(B, T, D): the output projection of what query head `head` of `attention` brings, bias left out.

    A plain linear layer's columns are used as they are. Anything else (adapters, quantised or offloaded weights) is
    called, with zeros for the other heads.
    """
    projection, channels = attention.o_proj, value_BTd.shape[-1]
    columns = slice(head * channels, (head + 1) * channels)
    if _is_plain(projection):
        weight_Dd = projection.weight[:, columns]
        return nn.functional.linear(value_BTd.to(weight_Dd.dtype), weight_Dd)
    whole = value_BTd.new_zeros(*value_BTd.shape[:-1], attention.config.num_attention_heads * channels)
    nothing: Tensor = projection(whole[:1, :1])
    whole[..., columns] = value_BTd
    added: Tensor = projection(whole)
    return added - nothing


def _is_plain(projection: Any) -> bool:
    placed = hasattr(projection, "_hf_hook")  # accelerate moves its weight when it is called
    return type(projection) is nn.Linear and type(projection.weight) is nn.Parameter and not placed
