"""A decoder layer on what follows the prompt.

B rows (beams expanded), Q new tokens, D hidden channels.
"""

from typing import Any

import torch
from torch import Tensor

from fastadasp.engine.cache import EvictingLayer, cache_of
from fastadasp.engine.decoder import AttentionTap
from fastadasp.engine.halves import Forward
from fastadasp.engine.prefill import Prefill, check_window


def read_on(prefill: Prefill, index: int, forward: Forward, hidden_BQD: Tensor, inputs: dict[str, Any]) -> Any:
    """The layer's own forward pass. The mask that transformers built follows layer 0 as it should have been."""
    cache, halves = cache_of(inputs), prefill.block.halves[index]
    stored = cache.layers[index]
    if isinstance(stored, EvictingLayer):
        prefill.cached[index] = prefill.key_mask(stored.tokens)  # whoever gave tokens back reads on from these
    attention = prefill.block.attention(index)
    keys = hidden_BQD.shape[1] + cache.get_seq_length(index)
    if prefill.cached[index] is not prefill.prompt.key_mask or prefill.cached[0] is not prefill.prompt.key_mask:
        inputs["attention_mask"] = prefill.cached[index].build(attention, hidden_BQD, keys, halves)
        if inputs.get("position_embeddings") is not None and "position_ids" in inputs and not halves.numbered:
            inputs["position_ids"] = None
    if not isinstance(stored, EvictingLayer):
        return forward(hidden_BQD, **inputs)
    check_window(halves.windowed, keys)
    with AttentionTap(attention) as tap:
        output = forward(hidden_BQD, **inputs)
    with torch.autocast(hidden_BQD.device.type, enabled=False):
        stored.step(tap.query_BHTd, tap.scaling, tap.shape)
    return output
