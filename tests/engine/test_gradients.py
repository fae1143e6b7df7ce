"""Gradients through `merging()`, held to finite differences in double precision."""

import pytest
import torch
from torch import Tensor, nn
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm

from fastadasp import Average, Blend, BlendInput, FastAdaSP, FastV, MergeMethod, Schedule, Stride, merging
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

IDS, REAL, AUDIO = left_padded([prompt(5, 60, 7), prompt(3, 40, 9, seed=1)])
STEP = 1e-5
METHODS = [
    FastAdaSP(ratio=0.5, layer=1),
    FastAdaSP(ratio=0.4, layer=0, schedule=Schedule.constant),
    Average(ratio=0.5, layer=1, proportional=True),
    Blend(ratio=0.5, layer=1),
    BlendInput(ratio=0.5),
    FastV(ratio=0.5),
    Stride(ratio=0.5),
]


def exact_norm(norm: Qwen2RMSNorm, hidden: Tensor) -> Tensor:
    """transformers' computes in single precision, in which a difference this small drowns."""
    return norm.weight * hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + norm.variance_epsilon)


def loss(model: nn.Module, method: MergeMethod) -> Tensor:
    with merging(model, method, AUDIO):
        logits_BTV = model(IDS, attention_mask=REAL).logits
    return nn.functional.cross_entropy(logits_BTV[:, -3:].flatten(0, 1), IDS[:, :3].flatten())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_the_gradient_of_each_weight_is_the_slope_of_the_loss(
    method: MergeMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along a random direction in each weight: embeddings, projections before, at and after the reduction."""
    monkeypatch.setattr(Qwen2RMSNorm, "forward", exact_norm)
    model = tiny_decoder(layers=3).double()
    loss(model, method).backward()
    generator = torch.Generator().manual_seed(0)
    for name, weight in model.named_parameters():
        if weight.grad is None or not name.endswith(("embed_tokens.weight", "v_proj.weight", "o_proj.weight")):
            continue
        direction = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            weight += STEP * direction
            above = loss(model, method)
            weight -= 2 * STEP * direction
            below = loss(model, method)
            weight += STEP * direction
        slope = float((above - below) / (2 * STEP))
        assert float((weight.grad * direction).sum()) == pytest.approx(slope, rel=5e-3, abs=5e-3), name
