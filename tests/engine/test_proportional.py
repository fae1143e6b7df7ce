"""Proportional attention: a fused token is attended to as if all that it stands for were there.

`test_reference_semantics` restates it for any tokens. Here tokens are copies, and fusing them must change nothing.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from fastadasp import Chain, FastAdaSP, MergeMethod, Schedule, merging
from fastadasp.errors import ConfigError
from fastadasp.merge.affinity_pooling import AffinityPooling
from fastadasp.merge.blend import Blend
from fastadasp.merge.fastadasp_kv_evict import FastAdaSPKVEvict
from fastadasp.merge.tome import Tome
from fastadasp.reduction.stages import Stages
from tests.helpers.tiny_decoders import Prompt, left_padded, prompt, tiny_decoder

COPIES, TEXT, STEPS = 24, 7, 4
PROMPTS = [prompt(5, 60, 7), prompt(3, 40, 9, seed=1), prompt(4, 13, 3, 20, 6, seed=2), prompt(8, seed=3)]
GREEDY = {"max_new_tokens": 6, "do_sample": False}
ORIGINAL = {"positions": "original", "proportional": True}


def copies_then_text() -> tuple[Tensor, Tensor, Tensor]:
    """Ids, positions and audio mask: copies of one token at one position, which see nothing else, then text."""
    ids = torch.cat([torch.full((COPIES,), 11), torch.randint(2, 97, (TEXT + STEPS,))])
    positions = torch.cat([torch.zeros(COPIES, dtype=torch.int64), torch.arange(1, TEXT + STEPS + 1)])
    return ids[None], positions[None], (torch.arange(COPIES + TEXT) < COPIES)[None]


def read(model: PreTrainedModel, ids: Tensor, positions: Tensor) -> Tensor:
    """Logits after each token of the text, the last ones read one by one."""
    cache, prompted = DynamicCache(), COPIES + TEXT
    first = model(ids[:, :prompted], position_ids=positions[:, :prompted], past_key_values=cache).logits[0, -TEXT:]
    steps = [
        model(ids[:, t : t + 1], position_ids=positions[:, t : t + 1], past_key_values=cache).logits[0]
        for t in range(prompted, prompted + STEPS)
    ]
    return torch.cat([first, *steps])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    ("method", "left"),
    [
        (Blend(ratio=0.6, layer=1, schedule="constant", **ORIGINAL), 3),
        (Blend(ratio=0.7, layer=1, earlier_caches=True, **ORIGINAL), 8),
        (Tome(layer_ratio=0.3, layer=1, schedule="constant", **ORIGINAL), 5),
        (AffinityPooling(ratio=0.5, **ORIGINAL), 12),
        (Chain(input=AffinityPooling(ratio=0.5, **ORIGINAL), decoder=FastAdaSP(ratio=0.5, **ORIGINAL)), 6),
    ],
    ids=["constant", "once, earlier caches", "tome", "input", "input and decoder"],
)
@torch.no_grad()
def test_copies_that_are_fused_count_as_often_as_before(method: MergeMethod, left: int, attention: str) -> None:
    torch.manual_seed(0)
    ids, positions, audio = copies_then_text()
    model = tiny_decoder(attention=attention, layers=6)
    whole = read(model, ids, positions)
    with merging(model, method, audio) as trace:
        fused = read(model, ids, positions)
    assert trace.audio_tokens[-1].tolist() == [left]
    torch.testing.assert_close(fused, whole, atol=2e-4, rtol=2e-4)


@torch.no_grad()
def test_without_it_they_count_once() -> None:
    torch.manual_seed(0)
    ids, positions, audio = copies_then_text()
    model = tiny_decoder(layers=6)
    method = Blend(ratio=0.6, layer=1, schedule="constant", positions="original")
    with merging(model, method, audio):
        fused = read(model, ids, positions)
    assert (fused - read(model, ids, positions)).abs().amax() > 0.02


@torch.no_grad()
def answers(model: PreTrainedModel, method: MergeMethod, prompts: list[Prompt], **settings: object) -> Tensor:
    ids, real, audio = left_padded(prompts)
    with merging(model, method, audio):
        return model.generate(ids, attention_mask=real, **GREEDY, **settings)[:, ids.shape[1] :]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("schedule", Schedule)
def test_a_row_of_a_batch_gives_what_it_gives_alone(schedule: Schedule, beams: int) -> None:
    model, method = tiny_decoder(), Blend(ratio=0.6, schedule=schedule, proportional=True)
    together = answers(model, method, PROMPTS, num_beams=beams)
    alone = [answers(model, method, [row], num_beams=beams)[0] for row in PROMPTS]
    assert torch.equal(together, torch.stack(alone))
    plain = answers(model, replace(method, proportional=False), PROMPTS, num_beams=beams)
    assert torch.equal(together[3], plain[3])  # no audio
    assert not torch.equal(together[:3], plain[:3])


@torch.no_grad()
def test_half_precision_is_as_close_to_full_as_without() -> None:
    ids, real, audio = left_padded(PROMPTS)
    errors = []
    for proportional in (False, True):
        method = FastAdaSP(ratio=0.5, layer=3, proportional=proportional)
        logits = []
        for dtype in (torch.float32, torch.bfloat16):
            with merging(model := tiny_decoder(layers=4).to(dtype), method, audio):
                logits.append(model(ids, attention_mask=real).logits[:, -1].float())
        errors.append((logits[1] - logits[0]).pow(2).mean())
    assert errors[1] < 2 * errors[0]


def test_flash_attention_is_refused_which_takes_no_bias() -> None:
    model, (_, _, audio) = tiny_decoder(layers=4), left_padded(PROMPTS)
    model.config._attn_implementation = "flash_attention_2"
    with (
        pytest.raises(ValueError, match=r"'flash_attention_2' takes no such bias; load .*'sdpa' or 'eager'"),
        merging(model, FastAdaSP(ratio=0.5, proportional=True), audio),
    ):
        pass
    with merging(model, FastAdaSP(ratio=0.5), audio):
        pass


def test_eviction_by_head_is_refused_which_would_leave_other_sizes_in_each() -> None:
    with pytest.raises(ConfigError, match=r"merge\.proportional=true cannot be combined with H2O"):
        Stages.of(FastAdaSPKVEvict(0.3, proportional=True), 12)
