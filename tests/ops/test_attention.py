"""Attention that fused kernels do not return, against what the eager kernel of the unpatched model returns."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fastadasp.engine.merging import merging
from fastadasp.merge.average import Average
from fastadasp.ops.assignment import Assignment
from fastadasp.ops.attention import attention_received_by_group, attention_rows
from fastadasp.ops.similarity import adjacent_key_cosine
from fastadasp.reduction.state import LayerState
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

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
    whole = attention_received_by_group(queries, keys, slice(5, 30), None, 0.35)
    for block in (1, 2**10, 2**11):
        monkeypatch.setattr("fastadasp.ops.attention.CPU_BLOCK", block)
        torch.testing.assert_close(attention_received_by_group(queries, keys, slice(5, 30), None, 0.35), whole)


def causal(
    queries: Tensor, keys: Tensor, real: Tensor | None, scaling: float, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Probabilities (B, H, T, T) and log-sum-exp (B, H, T) in float64, query by query."""
    keys = keys.double().repeat_interleave(queries.shape[1] // keys.shape[1], 1)
    rows, heads, length, _ = queries.shape
    probability = torch.zeros(rows, heads, length, length, dtype=torch.float64)
    lse = torch.full((rows, heads, length), torch.nan, dtype=torch.float64)
    for row in range(rows):
        start = 0 if real is None else int((~real[row]).sum())
        for query in range(start, length):
            score = keys[row, :, start : query + 1] @ queries[row, :, query, :, None].double() * scaling
            score = score[..., 0] if bias is None else score[..., 0] + bias[row, start : query + 1].double()
            lse[row, :, query] = score.exp().sum(-1).log()
            probability[row, :, query, start : query + 1] = score.exp() / score.exp().sum(-1, keepdim=True)
    return probability, lse


@pytest.mark.parametrize("block", [1, 2**9, 2**20])
@pytest.mark.parametrize("biased", [False, True], ids=["plain", "biased"])
@pytest.mark.parametrize("padding", [None, (0, 11)], ids=["alike", "padded"])
@pytest.mark.parametrize("columns", [slice(5, 30), slice(0, 37), slice(20, 21)], ids=str)
def test_a_known_log_sum_exp_gives_the_same_sums(
    columns: slice, padding: tuple[int, ...] | None, biased: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it says of padded queries, here NaN."""
    torch.manual_seed(0)
    monkeypatch.setattr("fastadasp.ops.attention.CPU_BLOCK", block)
    queries, keys = torch.randn(2, 4, 37, 8), torch.randn(2, 2, 37, 8)
    real = None if padding is None else torch.arange(37) >= torch.tensor(padding)[:, None]
    bias = torch.rand(2, 37) if biased else None
    probability, lse = causal(queries, keys, real, 0.35, bias)
    expected = probability.sum(2)[..., columns].unflatten(1, (2, -1)).sum(2)
    for told in (None, lse.float()):
        received = attention_received_by_group(queries, keys, columns, real, 0.35, bias, told)
        torch.testing.assert_close(received.double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_the_log_sum_exp_is_taken_from_the_layers_own_attention(kv_heads: int) -> None:
    """In autograd and inference mode, if sdpa runs a fused kernel; not over padding, and eager attention has none."""
    alike = left_padded([prompt(5, 40, 7), prompt(5, 40, 7, seed=1)])
    for guard in (torch.enable_grad, torch.inference_mode):
        with guard():
            state = state_of(2, "sdpa", kv_heads, alike)
        assert state.lse_BHT is not None
        _, expected = causal(state.queries_BHTd.detach(), state.keys_BGTd.detach(), None, state.scaling)
        torch.testing.assert_close(state.lse_BHT.double(), expected, atol=1e-5, rtol=1e-5)
    assert state_of(2, "sdpa", kv_heads, left_padded(PROMPTS)).lse_BHT is None
    assert state_of(2, "eager", kv_heads, alike).lse_BHT is None


def test_a_layer_that_is_listened_to_computes_the_same() -> None:
    """The hidden states that leave attention, to the bit."""
    batch = ids, real, _ = left_padded([prompt(5, 40, 7), prompt(5, 40, 7, seed=1)])
    model, seen = tiny_decoder(layers=4), []
    model.model.layers[1].post_attention_layernorm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        model(ids, attention_mask=real)
    assert torch.equal(state_of(1, "sdpa", 2, batch).hidden_BTD, seen[0])


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
    received = attention_received_by_group(queries, keys, slice(5, 18), None, scaling).sum(1)
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
    assert state.n_remove == (20, 12, 10)
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
