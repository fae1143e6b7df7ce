"""Attention that methods read is the layer's own, soft caps and sinks included; where it is not known they refuse."""

import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from fastadasp import H2O, Average, ExpectedAttention, FastAdaSP, FastV, SnapKV, merging
from fastadasp.engine.decoder import find_decoder, layers_of
from fastadasp.ops.assignment import Assignment
from fastadasp.reduction.method import MergeMethod
from fastadasp.reduction.state import LayerState
from tests.helpers.causal_families import tiny_family
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

IDS, REAL, AUDIO = left_padded([prompt(5, 30, 7), prompt(3, 20, 9, seed=1)])
IDS = IDS.clamp_max(96)
LAYER = 1


@dataclass(frozen=True)
class Reading(MergeMethod):
    """Notes the attention that a method may read, and removes a token."""

    seen: ClassVar[dict[str, Tensor]] = {}

    def assign(self, state: LayerState) -> Assignment:
        self.seen.update(
            received_BT=state.attention_received_BT,
            by_group_BGT=state.attention_received_BGT,
            rows_BHQT=state.attention_from(state.layout.width - 3),
        )
        return state.keep_top(state.attention_received_BT)


@pytest.mark.parametrize("family", ["gemma2", "vaultgemma", "gpt_oss", "mimo_v2_flash", "llama", "gpt2"])
@torch.no_grad()
def test_attention_is_what_the_eager_kernel_returns(family: str) -> None:
    model = tiny_family(family)
    for layer in layers_of(find_decoder(model)):  # so strong that cap and sinks matter with small weights too
        if family == "gemma2":
            layer.self_attn.attn_logit_softcapping = 2.0
        for name, weight in layer.named_parameters():
            if "sink" in name:
                weight.fill_(1.5)
    model.set_attn_implementation("eager")
    maps_BHTT = model(IDS, attention_mask=REAL, output_attentions=True).attentions[LAYER].float()
    with merging(model, Reading(ratio=0.1, layer=LAYER), AUDIO):
        model(IDS, attention_mask=REAL)
    real_BT = REAL.bool()
    received_BHT = (maps_BHTT * real_BT[:, None, :, None]).sum(2)
    seen = Reading.seen
    torch.testing.assert_close(seen["received_BT"] * AUDIO, received_BHT.sum(1) * AUDIO, atol=1e-4, rtol=1e-4)
    groups = seen["by_group_BGT"].shape[1]
    by_group_BGT = received_BHT.unflatten(1, (groups, -1)).sum(2) * real_BT[:, None]
    torch.testing.assert_close(seen["by_group_BGT"], by_group_BGT, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(seen["rows_BHQT"], maps_BHTT[:, :, -3:], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_expected_attention_refuses_scores_that_are_capped() -> None:
    model = tiny_family("gemma2")
    with (
        pytest.raises(ValueError, match="this model caps its scores at"),
        merging(model, ExpectedAttention(ratio=0.5), AUDIO),
    ):
        model(IDS, attention_mask=REAL)


def told_to_nobody(
    module: object, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **told: object
) -> object:
    """A kernel that prefers short keys, for reasons of its own."""
    causal = torch.full((query.shape[2], key.shape[2]), torch.finfo(query.dtype).min).triu(1)
    bias_B1QK = (causal if mask is None else mask) - key.square().sum(-1).mean(1)[:, None, None] / 10
    return ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, bias_B1QK, **told)


@pytest.mark.parametrize("method", [FastAdaSP(ratio=0.5, layer=0), FastV(0.5, layer=0), SnapKV(0.5), H2O(0.5)])
@torch.no_grad()
def test_attention_that_queries_and_keys_do_not_explain_is_refused_by_methods_that_read_it(
    method: MergeMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_decoder(layers=2, attention="eager")
    family = sys.modules[type(model.model.layers[0].self_attn).__module__]
    monkeypatch.setattr(family, "eager_attention_forward", told_to_nobody)
    with pytest.raises(ValueError, match="this method reads attention"), merging(model, method, AUDIO):
        model(IDS, attention_mask=REAL)
    with merging(model, Average(ratio=0.5, layer=0), AUDIO):
        assert model(IDS, attention_mask=REAL).logits.isfinite().all()
