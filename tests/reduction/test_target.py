"""The solved ratio against what it is to reach: published calibrations, whole tokens, and real prompts."""

from collections.abc import Sequence
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastadasp import FastAdaSP, RandomEvict, merging
from fastadasp.errors import ConfigError
from fastadasp.merge.average import Average
from fastadasp.merge.chain import Chain
from fastadasp.merge.fastadasp_kv_evict import FastAdaSPKVEvict
from fastadasp.merge.h2o import H2O
from fastadasp.merge.none import NoReduction
from fastadasp.merge.stride import Stride
from fastadasp.merge.tova import TOVA
from fastadasp.reduction.flops import paper_flops
from fastadasp.reduction.method import MergeMethod, Schedule
from fastadasp.reduction.schedule import Plan
from fastadasp.reduction.target import Prompt, solve_ratio
from tests.helpers.tiny_decoders import LAYERS, left_padded, prompt, tiny_decoder

LLAMA_7B = {"hidden": 4096, "intermediate": 11008}
TINY = {"hidden": 64, "intermediate": 96}
PROMPTS = [prompt(5, 60, 9, seed=1), prompt(2, 30, 3, seed=2), prompt(4, 20, 2, 25, 7, seed=3)]


def paper(tokens: Sequence[float]) -> float:
    return paper_flops(tokens[:-1], **LLAMA_7B)


def saved(counts: Sequence[Sequence[int]], prompts: Sequence[Prompt]) -> float:
    reduced = sum(paper([n + text for n in row]) for row, (_, text) in zip(counts, prompts, strict=True))
    full = sum(paper([audio + text] * len(row)) for row, (audio, text) in zip(counts, prompts, strict=True))
    return 1 - reduced / full


@given(
    schedule=st.sampled_from(list(Schedule)),
    prompts=st.lists(st.tuples(st.integers(40, 800), st.integers(0, 60)), min_size=1, max_size=5),
    target=st.floats(0.02, 0.5),
    layer=st.integers(0, 3),
)
@settings(deadline=None, max_examples=30)
def test_one_ratio_meets_the_target_over_all_prompts_in_whole_tokens(
    schedule: Schedule, prompts: list[Prompt], target: float, layer: int
) -> None:
    method = Average(flops_reduction=target, schedule=schedule, layer=layer)
    try:
        solved = solve_ratio(method, prompts, 32, paper)
    except ConfigError as error:
        most = float(str(error).partition("saves at most ")[2].split()[0])
        assert most < target + 1e-3
        one_left = [[audio] * (layer + 1) + [1] * (32 - layer) for audio, _ in prompts]
        assert most == pytest.approx(saved(one_left, prompts), abs=0.001)
        return
    counts = [Plan.of(solved, 32).audio_tokens(audio) for audio, _ in prompts]
    assert saved(counts, prompts) == pytest.approx(target, abs=1.0 / min(audio for audio, _ in prompts))


@pytest.mark.parametrize(("audio", "target", "ratio"), [(750, 0.3, 0.324), (750, 0.5, 0.543), (250, 0.1, 0.112)])
def test_it_is_the_published_ratio_of_a_7b_decoder(audio: int, target: float, ratio: float) -> None:
    assert solve_ratio(Average(flops_reduction=target), [(audio, 0)], 32, paper).ratio == pytest.approx(
        ratio, abs=0.004
    )


def test_at_the_input_every_layer_counts() -> None:
    solved = solve_ratio(Stride(flops_reduction=0.4), [(500, 50), (300, 20)], 32, paper)
    counts = [[audio - int(audio * solved.ratio)] * 33 for audio in (500, 300)]
    assert saved(counts, [(500, 50), (300, 20)]) == pytest.approx(0.4, abs=0.002)


@pytest.mark.parametrize("method", [Average, Stride, partial(TOVA, layer=0)])
@pytest.mark.parametrize("kept", [1, 7, 33, 199, 200, 250])
def test_a_number_of_tokens_to_keep_is_met_exactly(method: type[MergeMethod], kept: int) -> None:
    solved = solve_ratio(method(tokens_kept=kept), [(200, 30)], 12, paper)
    assert 200 - int(200 * solved.ratio) == min(kept, 200)


@pytest.mark.parametrize("schedule", [Schedule.constant, Schedule.decay])
def test_with_a_schedule_as_many_are_kept_on_average(schedule: Schedule) -> None:
    solved = solve_ratio(Average(tokens_kept=120, layer=1, schedule=schedule), [(200, 30)], 12, paper)
    after = Plan.of(solved, 12).audio_tokens(200)[2:12]
    assert sum(after) / len(after) == pytest.approx(120, abs=0.6)


def test_a_share_of_tokens_to_keep_is_what_the_ratio_leaves() -> None:
    for kept in (0.1, 0.7, 0.9):
        solved = solve_ratio(RandomEvict(tokens_kept=kept), [(10, 3)], 12, paper)
        assert 10 - int(10 * solved.ratio) == round(10 * kept)


def test_a_settled_method_has_nothing_left_to_solve() -> None:
    solved = solve_ratio(FastAdaSP(flops_reduction=0.2, layer=3, seed=5), [(100, 10)], 12, paper)
    assert solved == FastAdaSP(ratio=solved.ratio, layer=3, seed=5)
    assert solve_ratio(solved, [(7, 1)], 12, paper) is solved


@torch.no_grad()
@pytest.mark.parametrize("method", [FastAdaSP, RandomEvict, FastAdaSPKVEvict])
def test_each_prompt_of_a_batch_meets_the_target_by_itself(method: type[MergeMethod]) -> None:
    ids, real, audio = left_padded(PROMPTS)
    model = tiny_decoder()
    asked = method(flops_reduction=0.3, layer=1, schedule=Schedule.constant)
    with merging(model, asked, audio) as trace:
        together = model.generate(input_ids=ids, attention_mask=real, max_new_tokens=4, do_sample=False)
    for row, (ids_T, audio_T) in enumerate(PROMPTS):
        with merging(model, asked, audio_T[None]) as alone:
            single = model.generate(input_ids=ids_T[None], max_new_tokens=4, do_sample=False)
        assert together[row, -4:].tolist() == single[0, -4:].tolist()
        tokens = [len(ids_T), *alone.tokens[:, 0].tolist()]
        assert trace.tokens[:, row].tolist() == tokens[1:]
        full = paper_flops([len(ids_T)] * LAYERS, **TINY)
        reached = 1 - paper_flops(tokens[:-1], **TINY) / full
        assert reached == pytest.approx(0.3, abs=1 / 30)


@torch.no_grad()
@pytest.mark.parametrize(
    "method", [FastAdaSP(tokens_kept=25), TOVA(tokens_kept=25), TOVA(tokens_kept=31, protect_text=False)]
)
def test_each_prompt_of_a_batch_keeps_the_number_asked_for(method: MergeMethod) -> None:
    ids, real, audio = left_padded(PROMPTS)
    model = tiny_decoder()
    with merging(model, method, audio) as trace:
        model.generate(input_ids=ids, attention_mask=real, max_new_tokens=1)
    text = torch.tensor([len(mask) - int(mask.sum()) for _, mask in PROMPTS])
    protected = getattr(method, "protect_text", True)
    assert (trace.cached_tokens[-1] - text * protected).tolist() == [int(method.tokens_kept or 0)] * 3


def test_text_alone_is_left_as_it_is() -> None:
    ids, mask = prompt(8)
    model = tiny_decoder()
    with merging(model, FastAdaSP(flops_reduction=0.9), mask[None]) as trace, torch.no_grad():
        model(input_ids=ids[None])
    assert trace.tokens[:, 0].tolist() == [8] * LAYERS


def test_what_cannot_be_met_says_what_can() -> None:
    late = Average(flops_reduction=0.5, layer=16)
    with pytest.raises(ConfigError, match=r"once from layer 16 on of 32 layers, Average saves at most 0\.3\d\d of a"):
        solve_ratio(late, [(100, 50)], 32, paper)
    with pytest.raises(ConfigError, match=r"H2O shortens the caches alone.*merge\.ratio or merge\.tokens_kept"):
        solve_ratio(H2O(flops_reduction=0.2), [(100, 50)], 32, paper)


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"flops_reduction": 1.0}, r"merge\.flops_reduction must lie in \[0, 1\), got 1\.0"),
        ({"tokens_kept": 0}, r"merge\.tokens_kept must be a share in \(0, 1\) or a whole number .* got 0"),
        ({"tokens_kept": 1.5}, r"merge\.tokens_kept must be .* got 1\.5"),
        (
            {"ratio": 0.1, "flops_reduction": 0.2},
            r"merge\.ratio=0\.1 and merge\.flops_reduction=0\.2 exclude each other",
        ),
        (
            {"layer_ratio": 0.1, "tokens_kept": 9},
            r"merge\.layer_ratio=0\.1 and merge\.tokens_kept=9 exclude each other",
        ),
    ],
)
def test_a_wrong_target_is_named(given_settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FastAdaSP(**given_settings)  # type: ignore[arg-type]


def test_methods_without_one_ratio_take_no_target() -> None:
    with pytest.raises(ConfigError, match=r"merge=none removes nothing.* got merge\.flops_reduction=0\.2"):
        NoReduction(flops_reduction=0.2)
    with pytest.raises(ConfigError, match=r"merge\.tokens_kept=9 means nothing for merge=chain"):
        Chain(tokens_kept=9)
