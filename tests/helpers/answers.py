"""Answers of a tiny decoder by transformers and by static decoding."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fastadasp import MergeMethod, merging
from fastadasp.decoding.static import generate
from tests.helpers.tiny_decoders import prompt, tiny_decoder

NEW_TOKENS = 12
END = 5
UNLIKE = (prompt(4, 30, 6, seed=1), prompt(3, 50, 2, 9, 5, seed=2), prompt(8, seed=3))
ALIKE = (prompt(4, 40, 6, seed=4), prompt(4, 40, 6, seed=5))


def ending(family: str = "qwen2", kv_heads: int = 2) -> PreTrainedModel:
    """A decoder whose answers sometimes end early."""
    model = tiny_decoder(family, kv_heads=kv_heads, layers=6)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = END, 3
    with torch.no_grad():
        model.lm_head.weight[END] *= 1.5
    return model


def plain(
    model: PreTrainedModel,
    batch: tuple[Tensor, Tensor, Tensor],
    method: MergeMethod,
    beams: int,
    new_tokens: int = NEW_TOKENS,
    **settings: object,
) -> Tensor:
    """The new tokens as transformers gives them."""
    ids, real, audio = batch
    with merging(model, method, audio):
        out = model.generate(
            input_ids=ids, attention_mask=real, num_beams=beams, do_sample=False, max_new_tokens=new_tokens, **settings
        )
    return out[:, ids.shape[1] :]


def static(
    model: PreTrainedModel,
    batch: tuple[Tensor, Tensor, Tensor],
    method: MergeMethod,
    beams: int,
    new_tokens: int = NEW_TOKENS,
    **settings: object,
) -> Tensor:
    ids, real, audio = batch
    inputs = {"input_ids": ids, "attention_mask": real}
    return generate(model, inputs, method, audio, max_new_tokens=new_tokens, num_beams=beams, **settings).ids
