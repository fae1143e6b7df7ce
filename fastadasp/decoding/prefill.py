"""Reading a prompt once, and what the decoder needs to go on from there.

B rows (left-padded), T prompt tokens, V vocabulary entries.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from fastadasp.engine.decoder import find_decoder


def read_prompt(model: PreTrainedModel, inputs: Mapping[str, Any], real_BT: Tensor) -> tuple[Tensor, DynamicCache]:
    """Logits (B, 1, V) after the prompt, and what each layer has cached of it.

    real_BT: bool, False on padding. A decoder that gives each token several positions counts them itself.
    """
    cache = DynamicCache()
    positions = {} if has_several_positions(model) else {"position_ids": (real_BT.cumsum(1) - 1).clamp_min(0)}
    with _last_position_only(model):
        logits_B1V = model(**inputs, **positions, past_key_values=cache, use_cache=True).logits
    return logits_B1V, cache


def has_several_positions(model: PreTrainedModel) -> bool:
    """Whether each token has a position on each of several axes (multimodal rotary positions)."""
    return "mrope_section" in (getattr(find_decoder(model).config, "rope_parameters", None) or {})


@contextmanager
def _last_position_only(model: PreTrainedModel) -> Iterator[None]:
    """Not every class knows `logits_to_keep`, and logits of a whole prompt cost up to a tenth of its prefill."""
    handle = model.get_output_embeddings().register_forward_pre_hook(lambda _, args: (args[0][:, -1:],))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def persistent_inputs(model: PreTrainedModel) -> Iterator[dict[str, Any]]:
    """Filled inside: what the decoder gets of the arguments that it wants in every step (its `persistent_inputs`)."""
    decoder, noted = find_decoder(model), dict[str, Any]()

    def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        noted.update({name: kwargs.get(name) for name in getattr(decoder, "persistent_inputs", ())})

    handle = decoder.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield noted
    finally:
        handle.remove()


def real_tokens(inputs: Mapping[str, Any]) -> Tensor:
    """(B, T) bool: which tokens of the prompts are no padding."""
    real_BT: Tensor | None = inputs.get("attention_mask")
    if real_BT is not None:
        return real_BT.bool()
    prompt = inputs["input_ids"] if inputs.get("inputs_embeds") is None else inputs["inputs_embeds"]
    return torch.ones(prompt.shape[:2], dtype=torch.bool, device=prompt.device)
