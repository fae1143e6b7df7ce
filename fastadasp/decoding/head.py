"""From the decoder's output to logits, and the proof that a model does nothing else there."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fastadasp.engine.decoder import find_decoder
from fastadasp.engine.device import input_device

_found: "weakref.WeakKeyDictionary[nn.Module, str]" = weakref.WeakKeyDictionary()
"""What `head_obstacle` has found of models that are still in use; empty for no obstacle."""


def head_of(model: PreTrainedModel) -> Callable[[Tensor], Tensor]:
    """From the decoder's output to logits."""
    output, scale = model.get_output_embeddings(), getattr(model.config.get_text_config(), "logits_scaling", 1.0)
    return output if scale == 1.0 else lambda hidden: output(hidden) / scale


def head_obstacle(model: PreTrainedModel) -> str | None:
    """Why `head_of` does not give the model's own logits (a soft cap, another scale); None where it does.

    Compared on a prompt of three text tokens, once for each model.
    """
    if model not in _found:
        _found[model] = _compare(model)
    return _found[model] or None


@torch.no_grad()
def _compare(model: PreTrainedModel) -> str:
    name = type(model).__name__
    if model.get_output_embeddings() is None:
        return f"{name} has no output embeddings"
    decoder, seen = find_decoder(model), list[Tensor]()
    hook = decoder.register_forward_hook(lambda _, args, output: seen.append(output[0]))
    try:
        logits: Any = model(input_ids=torch.arange(3, device=input_device(model))[None], use_cache=False).logits
    except Exception as error:  # whatever it is, this model cannot be shown to be fit
        return f"{name} cannot read a short text alone ({type(error).__name__})"
    finally:
        hook.remove()
    ours = head_of(model)(seen[-1]).float()
    scale = logits.float().abs().amax().clamp_min(1e-6)
    if ours.shape != logits.shape or float((ours - logits.float()).abs().amax() / scale) > 0.02:
        return f"{name} changes its logits after the output embeddings (a soft cap, a scale)"
    return ""
