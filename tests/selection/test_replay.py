"""Passes that branch off at a layer against whole passes, and the choice among their values."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastadasp import FastAdaSP, NoReduction, merging
from fastadasp.errors import ConfigError
from fastadasp.merge.chain import Chain
from fastadasp.merge.fastadasp_kv_evict import FastAdaSPKVEvict
from fastadasp.merge.knorm import Knorm
from fastadasp.merge.samp import Samp
from fastadasp.reduction.flops import DecoderShape
from fastadasp.reduction.method import MergeMethod, Schedule
from fastadasp.selection.entropy import Features
from fastadasp.selection.replay import Recording
from fastadasp.selection.scores import candidates, score
from fastadasp.selection.settings import Criterion, LayerScore, Selection
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

LAYERS = 6
SHAPE = DecoderShape(LAYERS, 64, 96, 4, 2, 16, 97, gated_mlp=True)
PROMPTS = [prompt(4, 40, 6, seed=1), prompt(3, 25, 5, seed=2), prompt(2, 12, 3, 9, 4, seed=3)]


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_decoder(layers=LAYERS)


def batch() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    ids, real, audio = left_padded(PROMPTS)
    return {"input_ids": ids, "attention_mask": real}, audio


@torch.no_grad()
@pytest.mark.parametrize("layer", range(LAYERS))
@pytest.mark.parametrize("schedule", [Schedule.once, Schedule.constant])
def test_a_branch_is_what_a_whole_pass_gives(model: Any, layer: int, schedule: Schedule) -> None:
    inputs, audio = batch()
    method = FastAdaSP(ratio=0.4, layer=layer, schedule=schedule)
    final, audio_left, trace = Recording.of(model, inputs, audio).reduced(method)
    with merging(model, method, audio) as whole:
        expected = model.model(**inputs, use_cache=False).last_hidden_state
    assert torch.equal(trace.tokens, whole.tokens)
    assert audio_left.sum(1).tolist() == whole.audio_tokens[-1].tolist()
    assert torch.allclose(final[audio_left], expected[audio_left], atol=1e-6)


@torch.no_grad()
def test_the_layers_before_the_branch_do_not_run_again(model: Any) -> None:
    inputs, audio = batch()
    recording = Recording.of(model, inputs, audio)
    ran = []
    hooks = [
        layer.mlp.register_forward_hook(lambda *_, index=index: ran.append(index))
        for index, layer in enumerate(model.model.layers)
    ]
    recording.reduced(FastAdaSP(ratio=0.4, layer=4))
    for hook in hooks:
        hook.remove()
    assert ran == [4, 5]
    assert all("forward" not in vars(layer) for layer in model.model.layers)


def adapter(model: Any) -> Any:
    """The least of a model adapter: what is prepared is a whole batch already."""

    def encode(prepared: Any) -> Any:
        ids, real, _ = left_padded(prepared)
        return {"input_ids": ids, "attention_mask": real}

    masks = {len(PROMPTS): left_padded(PROMPTS)[2], 1: PROMPTS[0][1][None]}
    return SimpleNamespace(
        model=model, shape=SHAPE, encode=encode, audio_mask=lambda inputs: masks[len(inputs["input_ids"])]
    )


@pytest.mark.parametrize("criterion", Criterion)
def test_values_are_those_of_whole_runs(model: Any, criterion: Criterion) -> None:
    inputs, audio = batch()
    methods = {layer: FastAdaSP(ratio=0.4, layer=layer) for layer in (1, 3)}
    scores = score(adapter(model), methods, [PROMPTS], criterion)
    for one in scores:
        with torch.no_grad():
            full = model(**inputs, output_hidden_states=True)
            with merging(model, methods[one.layer], audio, keep_assignments=True) as trace:
                reduced = model(**inputs, output_hidden_states=True)
        if criterion is Criterion.transfer_entropy:
            left = torch.nn.functional.pad(audio, (0, 1)).gather(1, trace.assignments[one.layer].first)
            before, after = Features(), Features()
            before.add(full.hidden_states[-1][audio])
            after.add(reduced.hidden_states[-1][left])
            assert one.value == pytest.approx(abs(before.entropy - after.entropy), abs=1e-4)
            assert one.value > 0
        elif criterion is Criterion.output_kl:
            logs = [logits[:, -1].log_softmax(-1) for logits in (full.logits, reduced.logits)]
            expected = (logs[0].exp() * (logs[0] - logs[1])).sum(-1).mean()
            assert one.value == pytest.approx(float(expected), abs=1e-5)
        else:
            eager = tiny_decoder(layers=LAYERS, attention="eager")
            weights = []
            for ids_T, audio_T in PROMPTS:
                with torch.no_grad():
                    maps = eager(input_ids=ids_T[None], output_attentions=True).attentions[one.layer]
                share = maps[0].sum((0, 1))[audio_T]
                share = share / share.sum()
                weights.append(-(share * share.log()).sum() / torch.tensor(float(audio_T.sum())).log())
            assert one.value == pytest.approx(float(torch.stack(weights).mean()), abs=1e-4)


def test_removing_nothing_has_no_transfer_entropy(model: Any) -> None:
    (one,) = score(adapter(model), {2: FastAdaSP(layer=2)}, [PROMPTS], Criterion.transfer_entropy)
    assert (one.value, one.saved) == (0.0, 0.0)


def test_candidates_meet_equal_flops_and_late_layers_that_cannot_drop_out(model: Any) -> None:
    prompts = [(int(audio.sum()), int((~audio).sum())) for _, audio in PROMPTS]
    methods = candidates(FastAdaSP(flops_reduction=0.3), None, prompts, SHAPE)
    assert list(methods) == [0, 1, 2]
    assert methods[0].ratio < methods[1].ratio < methods[2].ratio
    scores = score(adapter(model), methods, [PROMPTS], Criterion.output_kl)
    assert [one.saved for one in scores] == pytest.approx([0.3] * 3, abs=0.02)


@pytest.mark.parametrize("cache", [None, Knorm(0.5)])
@pytest.mark.parametrize("amount", [{"ratio": 0.4}, {"flops_reduction": 0.2}])
def test_the_decoder_stage_of_a_composition_is_moved(model: Any, amount: dict[str, float], cache: Knorm | None) -> None:
    """It gets the values that its method gets alone: caches are not looked at."""
    prompts = [(int(audio.sum()), int((~audio).sum())) for _, audio in PROMPTS]
    found = []
    chain = Chain(decoder=FastAdaSP(**amount, layer=5), cache=cache)
    for method in (FastAdaSP(**amount), chain, FastAdaSPKVEvict(**amount)):
        methods = candidates(method, [1, 3], prompts, SHAPE)
        found.append(score(adapter(model), methods, [PROMPTS], Criterion.output_kl))
    assert [one.layer for one in found[0]] == [1, 3]
    assert found[0] == found[1] == found[2]
    assert found[0][0].ratio > 0


@pytest.mark.parametrize(
    ("method", "layers", "message"),
    [
        (Chain(decoder=FastAdaSP()), None, r"give merge\.decoder\.ratio or merge\.decoder\.flops_reduction"),
        (Chain(input=Samp(0.3), decoder=FastAdaSP(0.3)), None, r"not behind a method that shortens the input"),
        (Chain(cache=Knorm(0.3)), None, r"for methods inside the decoder alone, not for Chain"),
        (Samp(ratio=0.3), None, r"for methods inside the decoder alone, not for Samp"),
        (FastAdaSP(), None, r"give merge\.ratio or merge\.flops_reduction"),
        (NoReduction(), None, r"give merge\.ratio or merge\.flops_reduction"),
        (FastAdaSP(ratio=0.3), [2, 6], r"selection\.layers=\[6\] do not exist: the model has 6 layers"),
        (FastAdaSP(flops_reduction=0.7), [4, 5], r"merge\.flops_reduction=0\.7 is out of reach"),
    ],
)
def test_what_has_no_layer_to_choose_says_so(method: MergeMethod, layers: list[int] | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        candidates(method, layers, [(100, 10)], SHAPE)


def scores(*values: tuple[float, float]) -> list[LayerScore]:
    return [LayerScore(layer, 0.3, saved, value) for layer, (saved, value) in enumerate(values)]


def test_the_choice_is_the_least_value_among_those_that_save_enough() -> None:
    falling = scores((0.4, 9.0), (0.3, 5.0), (0.2, 6.0), (0.1, 1.0))
    assert Selection().choose(falling).layer == 1, "layer 3 disturbs least because it saves least"
    assert Selection(least_saved=0.0).choose(falling).layer == 3
    assert Selection(least_saved=0.0, trade_off=2.0).choose(falling).layer == 0
    assert Selection().choose(scores((0.4, 5.0), (0.4, 5.0))).layer == 0, "of equal ones the earliest"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 100)), min_size=1), st.floats(0, 1), st.floats(0, 10))
def test_there_is_always_a_choice(values: list[tuple[float, float]], least: float, worth: float) -> None:
    assert Selection(least_saved=least, trade_off=worth).choose(scores(*values)).saved <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"criterion": "entropy"}, "selection.criterion must be one of transfer_entropy, output_kl"),
        ({"least_saved": 2.0}, r"selection\.least_saved must lie in \[0, 1\]"),
        ({"layers": []}, "selection.layers must name at least one layer"),
        ({"limit": 0}, "selection.limit must be a whole number from 1 up"),
        ({"trade_off": -1.0}, "selection.trade_off must be at least 0"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Selection(**settings)
