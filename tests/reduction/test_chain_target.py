"""One stage of a chain solved for a target, against token counts worked out here."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from fastadasp import FastAdaSP, merging
from fastadasp.errors import ConfigError
from fastadasp.merge.average import Average
from fastadasp.merge.chain import Chain
from fastadasp.merge.h2o import H2O
from fastadasp.merge.knorm import Knorm
from fastadasp.merge.stride import Stride
from fastadasp.reduction.flops import paper_flops
from fastadasp.reduction.method import Schedule
from fastadasp.reduction.target import Prompt, solve_ratio
from tests.helpers.tiny_decoders import LAYERS, left_padded, prompt, tiny_decoder

PROMPTS: list[Prompt] = [(500, 50), (300, 20), (90, 9)]


def cost(tokens: Sequence[float]) -> float:
    """4nd² + 2n²d + 2ndm of a 7B decoder, for each of L + 1 counts but the last."""
    d, m = 4096, 11008
    return sum(4 * n * d * d + 2 * n * n * d + 2 * n * d * m for n in tokens[:-1])


def saved(chain: Chain, layer: int) -> float:
    """By a chain that reduces the input and, once, at `layer` of 32."""
    full = reduced = 0.0
    for audio, text in PROMPTS:
        entering = audio - int(audio * chain.input.ratio)
        left = entering - int(entering * chain.decoder.ratio)
        full += cost([audio + text] * 33)
        reduced += cost([entering + text] * (layer + 1) + [left + text] * (32 - layer))
    return 1 - reduced / full


@pytest.mark.parametrize("cache", [None, Knorm(0.5)])
def test_either_stage_makes_up_for_what_the_other_leaves(cache: Knorm | None) -> None:
    decoder_last = Chain(input=Stride(0.2), decoder=Average(flops_reduction=0.4, layer=2), cache=cache)
    input_last = Chain(input=Stride(flops_reduction=0.4), decoder=Average(0.3, layer=2), cache=cache)
    for chain in (decoder_last, input_last):
        solved = solve_ratio(chain, PROMPTS, 32, cost)
        assert isinstance(solved, Chain)
        assert not solved.has_target
        assert solved.cache == cache
        assert saved(solved, 2) == pytest.approx(0.4, abs=2e-3)
    assert solve_ratio(decoder_last, PROMPTS, 32, cost).stages()[0] == Stride(0.2)


def test_a_number_of_tokens_is_what_the_stage_leaves() -> None:
    chain = Chain(input=Stride(0.5), decoder=FastAdaSP(tokens_kept=40))
    solved = solve_ratio(chain, [(200, 30)], 12, cost).stages()[1]
    assert 100 - int(100 * solved.ratio) == 40
    chain = Chain(input=Stride(0.5), cache=Knorm(tokens_kept=40))
    solved = solve_ratio(chain, [(200, 30)], 12, cost).stages()[1]
    assert 100 - int(100 * solved.ratio) == 40
    chain = solve_ratio(Chain(decoder=FastAdaSP(0.5), cache=Knorm(tokens_kept=0.25)), [(200, 30)], 12, cost)
    assert chain.stages()[1].ratio == 0.75


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (
            Chain(input=Stride(0.6), decoder=FastAdaSP(flops_reduction=0.3)),
            r"merge\.decoder\.flops_reduction=0\.3 is less than the 0\.5\d\d that the chain's other stages save alone",
        ),
        (Chain(decoder=FastAdaSP(flops_reduction=0.95)), r"flops_reduction=0\.95 is out of reach"),
        (Chain(decoder=FastAdaSP(0.2), cache=H2O(flops_reduction=0.3)), "H2O shortens the caches alone"),
        (Chain(decoder=FastAdaSP(0.2), cache=H2O(tokens_kept=40)), r"merge\.cache\.tokens_kept=40 is no one share"),
    ],
)
def test_what_cannot_be_met_is_named(chain: Chain, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        solve_ratio(chain, PROMPTS, 32, cost)


def test_one_target_for_one_stage() -> None:
    with pytest.raises(ConfigError, match=r"merge\.input\.tokens_kept=9 and merge\.decoder\.flops_reduction=0\.2: one"):
        Chain(input=Stride(tokens_kept=9), decoder=FastAdaSP(flops_reduction=0.2))
    with pytest.raises(ConfigError, match=r"give it to a stage, such as merge\.decoder\.flops_reduction=0\.2"):
        Chain(flops_reduction=0.2)
    with pytest.raises(ConfigError, match=r"merge\.cache has a ratio but no method"):
        Chain(cache={"ratio": 0.0, "layer_ratio": None, "tokens_kept": 5})


@pytest.mark.parametrize("schedule", Schedule)
@torch.no_grad()
def test_each_prompt_of_a_batch_meets_the_target_by_itself(schedule: Schedule) -> None:
    prompts = [prompt(5, 60, 9, seed=1), prompt(2, 40, 3, seed=2), prompt(6, seed=3)]
    ids, real, audio = left_padded(prompts)
    chain = Chain(input=Stride(0.1), decoder=FastAdaSP(flops_reduction=0.3, layer=1, schedule=schedule))
    model = tiny_decoder()
    with merging(model, chain, audio) as trace:
        model.generate(input_ids=ids, attention_mask=real, max_new_tokens=2)
    assert trace.entering_audio_tokens.tolist() == [54, 36, 0]
    for row, text in ((0, 14), (1, 5)):
        whole = len(prompts[row][0])
        tokens = [int(trace.entering_audio_tokens[row]) + text, *trace.tokens[:, row].tolist()]
        reached = 1 - paper_flops(tokens[:-1], 64, 96) / paper_flops([whole] * LAYERS, 64, 96)
        assert reached == pytest.approx(0.3, abs=1 / 30)
    assert trace.tokens[:, 2].tolist() == [6] * LAYERS


@pytest.mark.slow
def test_a_run_solves_one_ratio_for_all_of_its_prompts(
    evaluate: Callable[..., tuple[Path, float]], tones: Path
) -> None:
    target = ("merge=chain", "merge@merge.input=stride", "merge.input.ratio=0.2", "merge.decoder.flops_reduction=0.08")
    folder, _ = evaluate("task=asr", f"task.manifest={tones}", *target, "merge.layer=1", "merge.schedule=once")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["cost"]["flops_paper_saved"] == pytest.approx(0.08, abs=0.005)
    assert json.loads((folder / "ratio.json").read_text())["flops_reduction"] == 0.08
