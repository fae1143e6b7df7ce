"""The audio encoder's attention: against what it returns, whose it is, and numbers that half precision cannot hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from fastadasp import merging
from fastadasp.engine.encoder import rows_read_once
from fastadasp.models.embedding import prompt_embeddings
from fastadasp.ops.assignment import Assignment
from fastadasp.ops.encoder_attention import EncoderAttention
from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.state import InputState
from tests.helpers.tiny_decoders import prompt, tiny_decoder
from tests.helpers.tiny_speech import AUDIO_TOKEN, speech_batch, speech_prompt, tiny_speech_model


@dataclass(frozen=True)
class Listening(InputMethod):
    """Looks at the encoder's attention and changes nothing."""

    seen: ClassVar[list[EncoderAttention]] = []

    @property
    def adaptive(self) -> bool:
        return True

    def assign(self, state: InputState) -> Assignment:
        self.seen.append(state.encoder)
        return state.fuse_pairs(torch.zeros_like(state.audio_BT), removed=(0,) * len(state.audio_BT))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_products_of_half_precision_stay_finite(dtype: torch.dtype) -> None:
    """Against float64 on the same numbers; q · k does not fit into float16."""
    torch.manual_seed(0)
    queries, keys = (200 + torch.randn(1, 3, 8, 64).to(dtype) for _ in range(2))
    encoder = EncoderAttention(queries, keys, 0.125, (8,), (4,), 2, torch.ones(1, 4, dtype=torch.bool))
    maps_HFF = (queries[0].double() @ keys[0].double().transpose(1, 2) * 0.125).softmax(-1)
    map_NN = maps_HFF.mean(0).view(4, 2, 4, 2).sum(3).mean(1)
    torch.testing.assert_close(encoder.received_BT("mean")[0].double(), map_NN.sum(0), atol=0.1, rtol=0)
    torch.testing.assert_close(encoder.own_BT("mean")[0].double(), map_NN.diagonal(), atol=0.1, rtol=0)


@pytest.mark.parametrize("beams", [2, 3])
@torch.no_grad()
def test_equal_clips_of_a_batch_are_not_taken_for_beams(beams: int) -> None:
    """Each row gets what its clip gets alone, whether the encoder ran for each beam or once."""
    model = tiny_speech_model()
    row = speech_prompt((4, 50, 6), 1)
    one, batch = speech_batch([row]), speech_batch([row, row])
    Listening.seen.clear()
    with merging(model, Listening(), one["input_ids"] == AUDIO_TOKEN):
        model(**one)
    with merging(model, Listening(), batch["input_ids"] == AUDIO_TOKEN):
        model.generate(**batch, max_new_tokens=1)
        model.generate(**batch, max_new_tokens=1, num_beams=beams)
        prompt = {name: batch[name] for name in ("input_ids", "attention_mask")}
        embeddings = prompt_embeddings(model, batch)
        model.generate(**prompt, inputs_embeds=embeddings, max_new_tokens=1, num_beams=beams)
    alone, *together = (encoder.received_BT("max") for encoder in Listening.seen)
    for received, rows in zip(together, (2, 2 * beams, 2 * beams), strict=True):
        torch.testing.assert_close(received, alone.expand(rows, -1))


@pytest.mark.parametrize("stride", [2, None])
@pytest.mark.parametrize(
    ("frames", "runs", "once"),
    [
        ([60, 60], (30,), True),  # two prompts of one clip
        ([60] * 6, (30,), False),
        ([60, 40, 60, 40], (30, 20), True),  # two prompts of two clips
        ([60, 60, 60, 60], (60,), True),  # two prompts of one run, which the encoder read in two clips
    ],
)
def test_clips_and_tokens_tell_how_often_the_encoder_ran(
    frames: Sequence[int], runs: Sequence[int], once: bool, stride: int | None
) -> None:
    torch.manual_seed(0)
    row = torch.cat([torch.cat([torch.zeros(2), torch.ones(run)]) for run in runs]).bool()
    queries = torch.randn(len(frames), 1, max(frames), 4)
    assert rows_read_once(3, queries, frames, row.expand(6, -1), stride) == (3 if once else 1)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_encoder_attention_is_the_encoders(attention: str) -> None:
    """Against the maps that the eager encoder returns, pooled with loops."""
    rows = [speech_prompt((4, 50, 6), 1), speech_prompt((5, 24, 3, 16, 6), 3), speech_prompt((2, 60, 8), 4)]
    batch = speech_batch(rows)
    Listening.seen.clear()
    model = tiny_speech_model(attention)
    audio = batch["input_ids"] == AUDIO_TOKEN
    with merging(model, Listening(), audio):
        model(**batch)
    (encoder,) = Listening.seen
    for heads in ("max", "mean"):
        received, own, keys = encoder.received_BT(heads), encoder.own_BT(heads), encoder.keys_BTd
        expected = pooled_by_loops(tiny_speech_model("eager"), batch, heads)
        torch.testing.assert_close(received[audio], expected[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(own[audio], expected[1], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(keys[audio], expected[2], atol=1e-5, rtol=1e-4)
        assert not received[~audio].any()


@torch.no_grad()
def test_encoder_attention_is_found_for_beams_whether_or_not_the_encoder_ran_for_each() -> None:
    model = tiny_speech_model()
    batch = speech_batch([speech_prompt((4, 50, 6), 1), speech_prompt((2, 60, 8), 4)])
    audio = batch["input_ids"] == AUDIO_TOKEN
    prompt = {name: batch[name] for name in ("input_ids", "attention_mask")}
    Listening.seen.clear()
    with merging(model, Listening(), audio):
        model.generate(**batch, max_new_tokens=1)
        model.generate(**batch, max_new_tokens=1, num_beams=3)
        embeddings = prompt_embeddings(model, batch)
        model.generate(**prompt, inputs_embeds=embeddings, max_new_tokens=1, num_beams=3)
    alone, for_each, for_all = (encoder.received_BT("max") for encoder in Listening.seen)
    torch.testing.assert_close(for_each, alone.repeat_interleave(3, 0))
    torch.testing.assert_close(for_all, alone.repeat_interleave(3, 0))


def pooled_by_loops(model: torch.nn.Module, batch: dict[str, Tensor], heads: str) -> tuple[Tensor, Tensor, Tensor]:
    """For all audio tokens in order: attention received, attention to itself, key."""
    inputs: list[Tensor] = []
    attention = model.model.audio_tower.layers[-1].self_attn
    hook = attention.register_forward_hook(
        lambda _, args, kwargs, output: inputs.extend((kwargs["hidden_states"], output[1])), with_kwargs=True
    )
    model(**batch)
    hook.remove()
    hidden_CFD, maps_CHFF = inputs
    keys_CFHd = attention.k_proj(hidden_CFD).view(*hidden_CFD.shape[:2], attention.num_heads, -1)
    received, own, keys = [], [], []
    for clip, mask in enumerate(batch["feature_attention_mask"]):
        tokens = int(mask.sum()) // 4
        frames_FF = maps_CHFF[clip].amax(0) if heads == "max" else maps_CHFF[clip].mean(0)
        for j in range(tokens):
            column = [sum(frames_FF[2 * i + a, 2 * j + b] for a in (0, 1) for b in (0, 1)) / 2 for i in range(tokens)]
            received.append(sum(column))
            own.append(column[j])
            keys.append(keys_CFHd[clip, 2 * j : 2 * j + 2].mean((0, 1)))
    return torch.stack(received), torch.stack(own), torch.stack(keys)


def test_a_model_without_an_encoder_says_so() -> None:
    model = tiny_decoder(layers=2)
    ids, audio = prompt(5, 40, 7)
    with pytest.raises(ValueError, match="Qwen2ForCausalLM does not show"), merging(model, Listening(), audio[None]):
        model(ids[None])
