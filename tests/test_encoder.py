"""The audio encoder's attention: numbers that half precision cannot hold, and whose attention it is."""

from collections.abc import Sequence

import pytest
import torch
from test_sites import Listening
from tiny_speech import AUDIO_TOKEN, speech_batch, speech_prompt, tiny_speech_model

from fastadasp.encoder import rows_read_once
from fastadasp.hooks import merging
from fastadasp.merge.encoder import EncoderAttention
from fastadasp.models.embedding import prompt_embeddings


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
