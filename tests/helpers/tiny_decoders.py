"""Tiny transformers decoders with random weights, left-padded prompts for them, and what a patch leaves on them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import (
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from fastadasp import MergeMethod, merging
from tests.helpers.weights import enlarge

VOCABULARY = 97
LAYERS = 12
FAMILIES = {
    "granite": (GraniteConfig, GraniteForCausalLM, {"residual_multiplier": 0.7, "attention_multiplier": 0.3}),
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": None}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 16}),
}

Prompt = tuple[Tensor, Tensor]
"""Token ids and audio mask, both (T,)."""


def tiny_decoder(
    family: str = "qwen2", attention: str = "sdpa", kv_heads: int = 2, layers: int = LAYERS, **settings: object
) -> PreTrainedModel:
    """A decoder of hidden size 64 whose weights are large enough that every token matters."""
    config_class, model_class, extra = FAMILIES[family]
    torch.manual_seed(0)
    config = config_class(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
        attn_implementation=attention,
        **{**extra, **settings},
    )
    model = model_class(config).eval()
    enlarge(model)
    return model


def prompt(*stretches: int, seed: int = 0) -> Prompt:
    """Random tokens: text, audio, text, audio, ... of the given lengths."""
    mask = [index % 2 == 1 for index, length in enumerate(stretches) for _ in range(length)]
    ids = torch.randint(2, VOCABULARY, (len(mask),), generator=torch.Generator().manual_seed(seed))
    return ids, torch.tensor(mask, dtype=torch.bool)


def left_padded(prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor, Tensor]:
    """input_ids, attention_mask and audio mask of a batch, each (B, T)."""
    width = max(len(ids) for ids, _ in prompts)

    def pad(row: Tensor) -> Tensor:
        return torch.nn.functional.pad(row, (width - len(row), 0))

    ids_BT = torch.stack([pad(ids) for ids, _ in prompts])
    real_BT = torch.stack([pad(torch.ones_like(ids)) for ids, _ in prompts])
    return ids_BT, real_BT, torch.stack([pad(mask) for _, mask in prompts])


@torch.no_grad()
def generated(model: PreTrainedModel, method: MergeMethod, prompts: list[Prompt], **settings: object) -> Tensor:
    """(B, new) ids that `generate()` adds to a padded batch of `prompts`."""
    ids, real, audio = left_padded(prompts)
    with merging(model, method, audio):
        out = model.generate(ids, attention_mask=real, **settings)
    return out.sequences[:, ids.shape[1] :]


@contextmanager
def untouched(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """The model, which must be afterwards as it was."""
    before = snapshot(model)
    yield model
    assert snapshot(model) == before, "something of the patch is left on the model"


def snapshot(model: nn.Module) -> list[object]:
    """What a patch could leave behind on any module: another forward or config, a hook."""
    return [
        (
            name,
            *(id(vars(module).get(slot)) for slot in ("forward", "_old_forward", "config")),
            *(list(hooks.values()) for hooks in (module._forward_pre_hooks, module._forward_hooks)),
        )
        for name, module in model.named_modules()
    ]
