"""Caches whose heads hold unlike numbers of tokens, and what a head adds to the output."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from fastadasp import merging
from fastadasp.decoding import obstacle
from fastadasp.engine.projection import head_output
from fastadasp.engine.ragged import RaggedLayer
from fastadasp.merge.adakv import AdaKV
from fastadasp.merge.snapkv import SnapKV
from tests.helpers.cache_oracle import (
    LAYERS,
    PROMPTS,
)
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

SMALL = SnapKV(window=6, kernel=3)


@torch.no_grad()
def test_uneven_heads_hold_what_was_kept_and_no_padding() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS)
    with merging(model, AdaKV(0.5, scorer=SMALL), audio, keep_assignments=True) as trace:
        out = model.generate(ids, attention_mask=real, max_new_tokens=4, return_dict_in_generate=True)
    kept = (real.sum(1) - (audio.sum(1) / 2).int()).tolist()
    assert trace.cached_tokens.tolist() == [kept] * LAYERS
    entry = 2 * 16 * 4  # a key and a value of 16 channels in float32
    assert trace.cache_bytes == LAYERS * 2 * sum(kept) * entry
    for layer, stored in enumerate(out.past_key_values.layers):
        heads = (trace.cache_assignments[layer].slot >= 0).sum(1).view(len(kept), 2)
        assert heads.sum(1).tolist() == [2 * count for count in kept]
        assert len(stored.keys) == len(stored.values) == heads.sum()
        assert stored.keys.untyped_storage().nbytes() == stored.keys.nbytes
        assert stored.get_seq_length() == heads.max() + 3
    assert (heads[:, 0] != heads[:, 1]).any()


@torch.no_grad()
def test_uneven_heads_take_back_what_was_guessed_wrongly() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, audio = PROMPTS[0][0][None], PROMPTS[0][1][None]
    answers = []
    for guessing in ({}, {"prompt_lookup_num_tokens": 3}):
        with merging(model, AdaKV(0.5, scorer=SMALL), audio):
            answers.append(model.generate(ids, max_new_tokens=24, do_sample=False, **guessing))
    assert torch.equal(*answers)


def test_of_the_prompt_nothing_can_be_taken_back() -> None:
    layer = RaggedLayer(Stored(torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 4)), (5, 3))
    layer.update(torch.randn(1, 2, 2, 4), torch.randn(1, 2, 2, 4))
    layer.crop(-1)
    assert layer.get_seq_length() == 6
    with pytest.raises(ValueError, match="only the 1 tokens after the prompt can be taken back"):
        layer.crop(-2)
    for change in (
        layer.reset,
        lambda: layer.batch_repeat_interleave(2),
        lambda: layer.batch_select_indices(torch.tensor([0])),
    ):
        with pytest.raises(ValueError, match="cannot be"):
            change()


@dataclass
class Stored:
    """Keys and values of a cache layer."""

    keys: Tensor
    values: Tensor


@torch.no_grad()
def test_uneven_heads_need_a_kernel_that_masks_each() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, audio = prompt(5, 40, 7)
    model.config._attn_implementation = "flash_attention_2"
    with (
        pytest.raises(ValueError, match=r"masks all heads alike.*'sdpa' or 'eager'"),
        merging(model, AdaKV(0.5), audio[None]),
    ):
        model(ids[None])
    model.config._attn_implementation = "sdpa"
    assert "each head its own number of tokens" in str(obstacle(model, AdaKV(0.5), 60))
    assert obstacle(model, AdaKV(0.0), 60) is None


@torch.no_grad()
def test_an_output_projection_that_is_no_plain_layer_is_called() -> None:
    attention = tiny_decoder(layers=1).model.layers[0].self_attn
    value = torch.randn(2, 5, 16)
    plain = [head_output(attention.o_proj, 4, head, value) for head in range(4)]
    whole = attention.o_proj(torch.cat([value] * 4, -1))
    torch.testing.assert_close(torch.stack(plain).sum(0), whole)
    linear = attention.o_proj
    attention.o_proj = nn.Sequential(linear, Shift())
    for head in range(4):
        torch.testing.assert_close(head_output(attention.o_proj, 4, head, value), plain[head], atol=1e-5, rtol=1e-5)


class Shift(nn.Module):
    """Adds a constant, which belongs to no head."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 3
