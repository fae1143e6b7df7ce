"""Attention that fused kernels do not return, against what the eager kernel of the unpatched model returns."""

from dataclasses import dataclass

import pytest
import torch
from tiny_decoders import left_padded, prompt, tiny_decoder
from torch import Tensor

from fastadasp.hooks import merging
from fastadasp.merge.assignment import Assignment
from fastadasp.merge.attention import attention_received, attention_rows
from fastadasp.merge.average import Average
from fastadasp.merge.similarity import adjacent_key_cosine
from fastadasp.merge.state import LayerState

PROMPTS = [prompt(5, 40, 7), prompt(3, 11, 2, 13, 4, seed=1), prompt(9, 20, 0, seed=2)]


class SeenError(Exception):
    """Carries a layer's state out of the model."""


@dataclass(frozen=True)
class Spy(Average):
    def assign(self, state: LayerState) -> Assignment:
        raise SeenError(state)


def state_of(layer: int, attention: str, kv_heads: int, batch: tuple[Tensor, Tensor, Tensor]) -> LayerState:
    ids, real, audio = batch
    model = tiny_decoder(attention=attention, kv_heads=kv_heads, layers=4)
    with pytest.raises(SeenError) as seen, torch.no_grad(), merging(model, Spy(ratio=0.5, layer=layer), audio):
        model(ids, attention_mask=real)
    return seen.value.args[0]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_column_sums_equal_those_of_eager_attention(attention: str, kv_heads: int) -> None:
    batch = ids, real, audio = left_padded(PROMPTS)
    model = tiny_decoder(attention="eager", kv_heads=kv_heads, layers=4)
    with torch.no_grad():
        full_BHTT = model(ids, attention_mask=real, output_attentions=True).attentions[2]
    expected = (full_BHTT * real[:, None, :, None]).sum((1, 2))
    received = state_of(2, attention, kv_heads, batch).attention_received_BT
    torch.testing.assert_close(received[audio], expected[audio], atol=1e-5, rtol=1e-5)


def test_column_sums_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    queries, keys = torch.randn(2, 4, 37, 8), torch.randn(2, 2, 37, 8)
    whole = attention_received(queries, keys, slice(5, 30), None, 0.35)
    for block in (1, 2**10, 2**11):
        monkeypatch.setattr("fastadasp.merge.attention.CPU_BLOCK", block)
        torch.testing.assert_close(attention_received(queries, keys, slice(5, 30), None, 0.35), whole)


def test_rows_are_those_of_the_full_matrix() -> None:
    torch.manual_seed(0)
    queries, keys = torch.randn(1, 4, 20, 8), torch.randn(1, 4, 20, 8)
    scores = queries @ keys.transpose(2, 3) * 0.35
    full = scores.masked_fill(torch.ones(20, 20).triu(1).bool(), -torch.inf).softmax(-1)
    torch.testing.assert_close(attention_rows(queries[:, :, 12:15], keys, 12, None, 0.35), full[:, :, 12:15, :15])
    torch.testing.assert_close(attention_rows(queries[:, :, -1:], keys, 19, None, 0.35), full[:, :, -1:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_products_of_half_precision_stay_finite(dtype: torch.dtype) -> None:
    """Against float64 on the same numbers; q · k = 128 · 300² does not fit into float16."""
    torch.manual_seed(0)
    queries, keys = (300 + torch.randn(1, heads, 20, 128).to(dtype) for heads in (4, 2))
    scaling = 128**-0.5
    scores = queries.double() @ keys.double().repeat_interleave(2, 1).transpose(2, 3) * scaling
    full = scores.masked_fill(torch.ones(20, 20).triu(1).bool(), -torch.inf).softmax(-1)
    # Scores near 10⁶: float32 has them to 1/16.
    rows = attention_rows(queries[:, :, 12:15], keys, 12, None, scaling)
    torch.testing.assert_close(rows.double(), full[:, :, 12:15, :15], atol=0.1, rtol=0)
    received = attention_received(queries, keys, slice(5, 18), None, scaling)
    torch.testing.assert_close(received.double(), full.sum((1, 2))[:, 5:18], atol=0.5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_products_of_half_precision_are_not_rounded_to_it(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    queries, keys = (4 * torch.randn(1, 4, 20, 16).to(dtype) for _ in range(2))
    scores = queries.double() @ keys.double().transpose(2, 3) * 0.25
    full = scores.masked_fill(torch.ones(20, 20).triu(1).bool(), -torch.inf).softmax(-1)
    rows = attention_rows(queries, keys, 0, None, 0.25)
    torch.testing.assert_close(rows.double(), full, atol=1e-5, rtol=1e-4)


def test_the_state_is_what_the_layer_works_on() -> None:
    """Keys against the cache of the unpatched model; hidden states against its own submodules."""
    batch = ids, real, audio = left_padded(PROMPTS)
    state = state_of(1, "sdpa", 2, batch)
    model = tiny_decoder(layers=4)
    with torch.no_grad():
        out = model(ids, attention_mask=real, use_cache=True, output_hidden_states=True)
        layer = model.model.layers[1]
        mlp = layer.mlp(layer.post_attention_layernorm(state.hidden_BTD))
    keep = real.bool()
    torch.testing.assert_close((state.hidden_BTD + mlp)[keep], out.hidden_states[2][keep])
    torch.testing.assert_close(state.keys_BGTd, out.past_key_values.layers[1].keys)
    torch.testing.assert_close(state.values_BGTd, out.past_key_values.layers[1].values)
    assert torch.equal(state.audio_BT, audio)
    assert state.real_BT is not None
    assert torch.equal(state.real_BT, keep)
    assert state.budget == (20, 12, 10)
    assert state.layout.pairs == (39, 22, 19)


def test_similarity_is_the_cosine_of_neighbouring_keys_over_all_heads() -> None:
    torch.manual_seed(0)
    keys_BGTd = torch.randn(2, 3, 6, 5)
    similarity = adjacent_key_cosine(keys_BGTd)
    for row in range(2):
        for token in range(5):
            one, other = keys_BGTd[row, :, token].flatten(), keys_BGTd[row, :, token + 1].flatten()
            expected = one @ other / (one.norm() * other.norm())
            torch.testing.assert_close(similarity[row, token], expected)
