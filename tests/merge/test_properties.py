"""What must hold for every method there is: each file in conf/merge takes part by being there."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from torch import Tensor

from fastadasp import MergeMethod, MergeTrace, merging, valid_frames
from fastadasp.engine.encoder import find_encoder
from fastadasp.ops.assignment import Assignment
from fastadasp.reduction.method import Site
from fastadasp.reduction.schedule import Plan
from fastadasp.reduction.stages import Stages
from fastadasp.reduction.state import LayerState
from tests.helpers.configs import METHODS, composed_method
from tests.helpers.method_states import input_state, layer_state
from tests.helpers.tiny_speech import AUDIO_TOKEN, LAYERS, speech_batch, speech_prompt, tiny_speech_model

RATIO = 0.4
SILENT = {"none"}
"""Methods that take no ratio but 0."""
CHAIN = ["merge@merge.input=stride", "merge@merge.cache=knorm", *(f"merge.{s.name}.ratio={RATIO}" for s in Site)]
ROWS = [
    speech_prompt((4, 50, 6), 1),
    speech_prompt((3, 20, 5), 2),
    speech_prompt((5, 24, 3, 16, 6), 3),  # two clips
    speech_prompt((2, 60, 8), 4),
    speech_prompt((3, 2, 4), 5),  # a single audio token would be for the model to expand
    speech_prompt((2, 3, 4), 6),
    speech_prompt((1, 37, 2, 1, 5), 7),
]
Row = dict[str, Tensor]


def method(name: str, ratio: float = RATIO) -> MergeMethod:
    """As `merge=name merge.ratio=...` gives it, from layer 1 on."""
    settings = ["merge.layer=1"]
    if name == "chain":
        settings += CHAIN if ratio else []
    elif name not in SILENT:
        settings.append(f"merge.ratio={ratio}")
    return composed_method(f"merge={name}", *settings)


model = cache(tiny_speech_model)


@torch.no_grad()
def answered(rows: list[Row], method: MergeMethod, beams: int = 1) -> tuple[Tensor, MergeTrace]:
    """(B, new) ids, and what happened."""
    batch = speech_batch(rows)
    with merging(model(), method, batch["input_ids"] == AUDIO_TOKEN, keep_assignments=True) as trace:
        ids = model().generate(**batch, max_new_tokens=5, num_beams=beams, do_sample=False)
    return ids[:, batch["input_ids"].shape[1] :], trace


@cache
def answers(name: str) -> tuple[Tensor, MergeTrace]:
    return answered(ROWS, method(name))


@pytest.mark.crossed
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("beams", [1, 2])
@torch.no_grad()
def test_a_ratio_of_zero_changes_nothing(name: str, beams: int) -> None:
    batch = speech_batch(ROWS[:2])
    settings = {"max_new_tokens": 3, "num_beams": beams, "return_dict_in_generate": True, "output_logits": True}
    # What the encoder leaves out changes rounding (tests/engine/test_valid_frames.py), hence the same frames for both;
    # methods before the decoder listen to its last attention, and so does a hook that does nothing.
    attention = find_encoder(model()).layers[-1].self_attn
    listens = Stages.of(method(name, 0.0), LAYERS).input is not None
    hook = attention.register_forward_hook(lambda *_: None) if listens else None
    with valid_frames(model()):
        plain = model().generate(**batch, **settings)
    if hook is not None:
        hook.remove()
    with merging(model(), method(name, 0.0), batch["input_ids"] == AUDIO_TOKEN):
        patched = model().generate(**batch, **settings)
    assert torch.equal(patched.sequences, plain.sequences)
    assert all(map(torch.equal, patched.logits, plain.logits))


@pytest.mark.parametrize("name", METHODS)
def test_as_many_tokens_go_as_asked_for(name: str) -> None:
    _, trace = answers(name)
    entering = trace.entering_audio_tokens.tolist()
    left_BL = trace.audio_tokens.T.tolist()
    stages = {stage.site: stage for stage in method(name).stages()}
    for row, inputs in enumerate(ROWS):
        audio = int((inputs["ids"] == AUDIO_TOKEN).sum())
        text = len(inputs["ids"]) - audio
        assert entering[row] == (audio - int(audio * RATIO) if Site.input in stages else audio)
        counts = [entering[row]] * (LAYERS + 1)
        if Site.decoder in stages:
            counts = list(Plan.of(stages[Site.decoder], LAYERS).audio_tokens(entering[row]))
        assert left_BL[row] == counts[1:]
        if Site.cache in stages:
            evicting = range(stages[Site.cache].layer, LAYERS)
            counts = [n - int(n * RATIO) if layer in evicting else n for layer, n in enumerate(counts[:-1])]
        assert trace.cached_tokens[:, row].tolist() == [n + text for n in counts[:LAYERS]]


@pytest.mark.parametrize("name", METHODS)
def test_a_row_of_which_nothing_is_to_go_is_left_as_it_is(name: str) -> None:
    """However much alike its tokens are, and whatever goes from another row."""
    for stage in method(name).stages():
        if hasattr(stage, "threshold"):
            stage = replace(stage, threshold=-0.9)
        state = (input_state if stage.site is Site.input else layer_state)(RATIO, rows=[(2, 9, 3), (3, 50, 4)])
        state.hidden_BTD[:] = torch.ones(state.hidden_BTD.shape[2])
        if isinstance(state, LayerState):
            state.keys_BGTd[:] = torch.ones(state.keys_BGTd.shape[3])
        assignment = stage.assign(replace(state, n_remove=(0, 20)))
        heads = len(assignment.slot) // 2
        assert assignment.lengths == (14,) * heads + (37,) * heads
        assert assignment.slot[:heads, -14:].tolist() == [list(range(14))] * heads


@pytest.mark.parametrize("name", METHODS)
def test_order_is_kept_and_text_is_untouched(name: str) -> None:
    _, trace = answers(name)
    batch = speech_batch(ROWS)
    for decision, real, audio in decisions(trace, batch["attention_mask"].bool(), batch["input_ids"] == AUDIO_TOKEN):
        slot = decision.slot
        assert (slot[~real] == -1).all()
        assert (slot[real & ~audio] >= 0).all()
        assert (decision.weight >= 0).all()
        assert decision.weight.isfinite().all()
        for slots, lengths, texts in zip(slot, decision.lengths, real & ~audio, strict=True):
            used, sizes = slots[slots >= 0].unique(return_counts=True)
            assert used.tolist() == list(range(lengths))
            firsts = [int((slots == index).nonzero()[0]) for index in used]
            assert firsts == sorted(firsts)
            assert (sizes[slots[texts]] == 1).all()


def decisions(trace: MergeTrace, real: Tensor, audio: Tensor) -> Iterator[tuple[Assignment, Tensor, Tensor]]:
    """Every decision of a prompt, with the (B, T) masks of the tokens that it was about."""

    def after(decision: Assignment) -> tuple[Tensor, Tensor]:
        pad = partial(torch.nn.functional.pad, pad=(0, 1))
        return pad(real).gather(1, decision.first), pad(audio).gather(1, decision.first)

    if trace.input_assignment is not None:
        yield trace.input_assignment, real, audio
        real, audio = after(trace.input_assignment)
    for layer in range(LAYERS):
        if layer in trace.cache_assignments:
            decision = trace.cache_assignments[layer]
            heads = len(decision.slot) // len(real)
            yield decision, real.repeat_interleave(heads, 0), audio.repeat_interleave(heads, 0)
        if layer in trace.assignments:
            yield trace.assignments[layer], real, audio
            real, audio = after(trace.assignments[layer])


@pytest.mark.parametrize("name", METHODS)
def test_a_row_does_not_depend_on_its_batch(name: str) -> None:
    together, trace = answers(name)
    order = [2, 6, 0, 4, 3, 1, 5]
    permuted, permuted_trace = answered([ROWS[row] for row in order], method(name))
    assert torch.equal(permuted, together[order])
    assert torch.equal(permuted_trace.audio_tokens, trace.audio_tokens[:, order])
    for row, inputs in enumerate(ROWS):
        alone, alone_trace = answered([inputs], method(name))
        assert torch.equal(alone[0], together[row])
        assert torch.equal(alone_trace.audio_tokens[:, 0], trace.audio_tokens[:, row])
        assert torch.equal(alone_trace.cached_tokens[:, 0], trace.cached_tokens[:, row])


@pytest.mark.parametrize("name", METHODS)
def test_beams_of_a_batch_are_the_beams_of_a_row(name: str) -> None:
    together, trace = answered(ROWS[:2], method(name), beams=3)
    assert trace.audio_tokens.shape == (LAYERS, 2)
    for row, inputs in enumerate(ROWS[:2]):
        assert torch.equal(answered([inputs], method(name), beams=3)[0][0], together[row])


@pytest.mark.parametrize("name", METHODS)
def test_chance_has_a_generator_of_its_own(name: str) -> None:
    before = torch.random.get_rng_state()
    torch.manual_seed(1)
    again, _ = answered(ROWS, method(name))
    torch.random.set_rng_state(before)
    assert torch.equal(again, answers(name)[0])
    assert torch.equal(torch.random.get_rng_state(), before)
