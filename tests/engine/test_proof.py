"""How a layer is cut follows from what the layer computes, whatever its class is called."""

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer

from fastadasp import FastAdaSP, SnapKV, merging
from tests.helpers.tiny_decoders import left_padded, prompt, snapshot, tiny_decoder

PROMPTS = [prompt(5, 60, 7), prompt(3, 40, 9, seed=1)]
IDS, REAL, AUDIO = left_padded(PROMPTS)
NOTHING = FastAdaSP(ratio=1e-6, layer=0)
SETTINGS = {"max_new_tokens": 5, "do_sample": False}


class ParallelLayer(Qwen2DecoderLayer):
    """By name and inheritance a standard layer, but attention and MLP read the same."""

    def forward(self, hidden_states: Tensor, **kwargs: object) -> Tensor:
        normed = self.input_layernorm(hidden_states)
        return hidden_states + self.self_attn(hidden_states=normed, **kwargs)[0] + self.mlp(normed)


class MixingLayer(Qwen2DecoderLayer):
    """After attention each token reads its neighbour."""

    def forward(self, hidden_states: Tensor, **kwargs: object) -> Tensor:
        hidden = hidden_states + self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)[0]
        return hidden + self.mlp(self.post_attention_layernorm(hidden.roll(1, 1)))


class DeafLayer(Qwen2DecoderLayer):
    """Takes the positions from its own count."""

    def forward(self, hidden_states: Tensor, **kwargs: object) -> Tensor:
        cos, sin = kwargs["position_embeddings"]
        width = hidden_states.shape[1]
        kwargs["position_embeddings"] = (
            cos[:, :1].expand(-1, width, -1) * 0 + torch.linspace(-1, 1, width)[:, None],
            sin,
        )
        return super().forward(hidden_states, **kwargs)


class Adapter(nn.Module):
    def __init__(self, forward: object) -> None:
        super().__init__()
        self.own, self.down = forward, nn.Linear(64, 64)

    def forward(self, hidden_states: Tensor, **kwargs: object) -> Tensor:
        hidden = self.own(hidden_states, **kwargs)
        return hidden + self.down(hidden).tanh()


def of_class(kind: type[Qwen2DecoderLayer]) -> PreTrainedModel:
    model = tiny_decoder(layers=4)
    for layer in model.model.layers:
        layer.__class__ = kind
    return model


@torch.no_grad()
def answers(model: PreTrainedModel, method: FastAdaSP | SnapKV) -> tuple[Tensor, Tensor]:
    before = snapshot(model)
    with merging(model, method, AUDIO):
        logits = model(IDS, attention_mask=REAL).logits[:, -1]
        ids = model.generate(IDS, attention_mask=REAL, **SETTINGS)
    assert snapshot(model) == before
    return logits, ids


@torch.no_grad()
def test_a_layer_that_only_derives_from_a_standard_one_is_run_as_it_is() -> None:
    model = of_class(ParallelLayer)
    expected = model(IDS, attention_mask=REAL).logits[:, -1]
    logits, ids = answers(model, NOTHING)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(ids, model.generate(IDS, attention_mask=REAL, **SETTINGS))


@torch.no_grad()
def test_dropping_tokens_of_a_parallel_layer_equals_masking_them_afterwards() -> None:
    """Both updates of the tokens that stay come from what they were before."""
    model = of_class(ParallelLayer)
    together, _ = answers(model, FastAdaSP(ratio=0.5, layer=1))
    with merging(model, FastAdaSP(ratio=0.5, layer=1), AUDIO[1:, IDS.shape[1] - 52 :]):
        alone = model(IDS[1:, IDS.shape[1] - 52 :]).logits[:, -1]
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_forward_that_someone_has_replaced_is_called() -> None:
    model = tiny_decoder(layers=4)
    for layer in model.model.layers:
        layer.forward = Adapter(layer.forward).forward
    expected = model(IDS, attention_mask=REAL).logits[:, -1]
    torch.testing.assert_close(answers(model, NOTHING)[0], expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_forward_replaced_between_two_blocks_is_examined_anew() -> None:
    model = tiny_decoder(layers=4)
    answers(model, NOTHING)
    for layer in model.model.layers:
        layer.__class__ = MixingLayer
    with pytest.raises(ValueError, match="not done token by token"):
        answers(model, NOTHING)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(MixingLayer, "not done token by token"), (DeafLayer, "does not give what it gives when the others are masked")],
)
def test_a_layer_that_cannot_lose_tokens_is_refused_with_the_reason_and_unchanged(
    kind: type[Qwen2DecoderLayer], reason: str
) -> None:
    model = of_class(kind)
    before = snapshot(model)
    with pytest.raises(ValueError, match=reason), merging(model, NOTHING, AUDIO):
        pass
    assert snapshot(model) == before


def test_the_examination_leaves_random_numbers_and_modes_alone() -> None:
    model = tiny_decoder(layers=3).train()
    state = torch.random.get_rng_state()
    with merging(model, NOTHING, AUDIO):
        pass
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(module.training for module in model.modules())
