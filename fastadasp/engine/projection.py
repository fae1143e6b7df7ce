"""Weights of attention's projections, whichever form they have: plain, fused, adapted, quantised, offloaded.

B rows, T tokens, H query heads of d channels, D hidden channels, E output channels.
"""

from typing import Any

import torch
from torch import Tensor, nn

from fastadasp.errors import UnsupportedError

QUERY, KEY = ("q_proj", "query", "q"), ("k_proj", "key", "k")


def head_output(projection: Any, heads: int, head: int, value_BTd: Tensor) -> Tensor:
    """(B, T, D): what query head `head` of `heads` brings through attention's output projection, bias left out.

    A plain linear layer's columns are used as they are. Anything else (adapters, quantised or offloaded weights) is
    called, with zeros for the other heads. ValueError without a projection.
    """
    if projection is None:
        raise UnsupportedError(
            "this method needs each head's own output, but attention's heads do not meet in a projection of their "
            "size here; choose a method that looks at keys, queries or hidden states"
        )
    channels = value_BTd.shape[-1]
    columns = slice(head * channels, (head + 1) * channels)
    if _is_plain(projection):
        weight_Dd = projection.weight[:, columns]
        return nn.functional.linear(value_BTd.to(weight_Dd.dtype), weight_Dd)
    whole = value_BTd.new_zeros(*value_BTd.shape[:-1], heads * channels)
    nothing: Tensor = projection(whole[:1, :1])
    whole[..., columns] = value_BTd
    added: Tensor = projection(whole)
    return added - nothing


def query_and_key_weights(attention: Any, hidden_BTD: Tensor) -> tuple[Tensor, Tensor]:
    """(E, D) each: the query and key projections of `attention`; ValueError where they are not modules of their own."""
    found = [
        next((getattr(attention, name) for name in names if hasattr(attention, name)), None) for names in (QUERY, KEY)
    ]
    if found[0] is None or found[1] is None:
        raise UnsupportedError(
            f"this method needs the query and key projections of layer 0, and {type(attention).__name__} has none of "
            "the names q_proj and k_proj (they are fused or factored); choose another method"
        )
    return _weight(found[0], hidden_BTD), _weight(found[1], hidden_BTD)


def _weight(projection: Any, hidden_BTD: Tensor) -> Tensor:
    """(E, D): what the projection does to each channel, its bias left out; by calling whatever is no plain layer."""
    if _is_plain(projection):
        weight: Tensor = projection.weight
        return weight
    channels = hidden_BTD.shape[-1]
    unit_DD = torch.eye(channels, dtype=hidden_BTD.dtype, device=hidden_BTD.device)
    answers_DE: Tensor = projection(torch.cat((unit_DD, unit_DD.new_zeros(1, channels))))
    return (answers_DE[:-1] - answers_DE[-1:]).T


def _is_plain(projection: Any) -> bool:
    placed = hasattr(projection, "_hf_hook")  # accelerate moves its weight when it is called
    return type(projection) is nn.Linear and type(projection.weight) is nn.Parameter and not placed
