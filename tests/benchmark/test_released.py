"""The restated peer must give what merging() gives: then the two are compared on speed alone."""

import pytest
import torch

from fastadasp import FastAdaSP, Schedule, merging
from fastadasp.benchmark.released import released_approach
from tests.helpers.tiny_decoders import prompt, tiny_decoder


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize(("schedule", "ratio"), [("once", 0.5), ("constant", 0.1), ("decay", 0.15), ("once", 0.0)])
def test_same_logits_as_merging(schedule: str, ratio: float, kv_heads: int) -> None:
    model = tiny_decoder(attention="eager", kv_heads=kv_heads)
    rows = [prompt(6, 50, 9, seed=seed)[0] for seed in (1, 2)]
    ids, audio = torch.stack(rows), prompt(6, 50, 9)[1].expand(2, -1)
    settings = {"do_sample": False, "max_new_tokens": 4, "output_logits": True, "return_dict_in_generate": True}
    for row in ids:  # the released code takes its choice from the batch's first row
        with merging(model, FastAdaSP(layer_ratio=ratio, layer=3, schedule=schedule), audio[:1]):
            expected = model.generate(row[None], **settings)
        with released_approach(model, layer_ratio=ratio, layer=3, schedule=Schedule[schedule], begin=6, end=56):
            found = model.generate(row[None], **settings)
        torch.testing.assert_close(torch.stack(found.logits), torch.stack(expected.logits), atol=1e-4, rtol=1e-4)


def test_beams_share_a_layout_and_the_model_is_restored() -> None:
    model, (ids, audio) = tiny_decoder(attention="eager"), prompt(6, 50, 9)
    before = model(ids[None]).logits
    settings = {"do_sample": False, "max_new_tokens": 8, "num_beams": 3}
    with merging(model, FastAdaSP(layer_ratio=0.5, layer=3), audio[None]):
        expected = model.generate(ids[None], **settings)
    with released_approach(model, layer_ratio=0.5, layer=3, schedule=Schedule.once, begin=6, end=56):
        assert torch.equal(model.generate(ids[None], **settings), expected)
    assert torch.equal(model(ids[None]).logits, before)


def test_needs_eager_attention() -> None:
    with (
        pytest.raises(ValueError, match="attn_implementation='eager'"),
        released_approach(tiny_decoder(), layer_ratio=0.5, layer=3, schedule=Schedule.once, begin=6, end=56),
    ):
        pass
