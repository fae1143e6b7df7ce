"""Reducing before the decoder and in chains: against plain transformers runs on what is left."""

from dataclasses import dataclass, replace

import pytest
import torch

from fastadasp import Average, FastAdaSP, MergeMethod, Positions, RandomEvict, merging
from fastadasp.errors import ConfigError
from fastadasp.merge.chain import Chain
from fastadasp.merge.fastadasp_kv_evict import FastAdaSPKVEvict
from fastadasp.merge.h2o import H2O
from fastadasp.merge.knorm import Knorm
from fastadasp.ops.assignment import Assignment, apply, keep_only
from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.stages import Stages
from fastadasp.reduction.state import InputState
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

LAYERS = 6
SETTINGS = {"max_new_tokens": 5, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
PROMPTS = [prompt(5, 40, 7, seed=1), prompt(3, 12, 2, 9, 5, seed=2), prompt(6, seed=3), prompt(0, 33, 4, seed=4)]


@dataclass(frozen=True)
class EveryOther(InputMethod):
    """Drops every second audio token, whatever the ratio."""

    def assign(self, state: InputState) -> Assignment:
        keep_BT = ~(state.audio_BT & (state.rank_BT % 2 == 1))
        return keep_only(keep_BT if state.real_BT is None else keep_BT & state.real_BT, None)


@pytest.mark.parametrize("positions", Positions)
@pytest.mark.parametrize("beams", [1, 3])
@torch.no_grad()
def test_reducing_the_input_is_running_on_what_is_left(positions: Positions, beams: int) -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS)
    with merging(model, EveryOther(0.5, positions=positions), audio) as trace:
        reduced = model.generate(ids, attention_mask=real, num_beams=beams, **SETTINGS)
    for row, (row_ids, row_audio) in enumerate(PROMPTS):
        keep = ~row_audio | ((row_audio.cumsum(0) - 1) % 2 == 0)
        left, length = int(keep.sum()), len(row_ids)
        position = keep.nonzero()[:, 0] if positions is Positions.original else torch.arange(length - left, length)
        plain = model.generate(row_ids[keep][None], position_ids=position[None], num_beams=beams, **SETTINGS)
        assert torch.equal(plain.sequences[0, left:], reduced.sequences[row, ids.shape[1] :])
        assert trace.tokens[:, row].tolist() == trace.cached_tokens[:, row].tolist() == [left] * LAYERS
    assert trace.entering_audio_tokens.tolist() == [20, 11, 0, 17]


@pytest.mark.parametrize("method", [EveryOther(0.5), Knorm(0.5), H2O(0.5), FastAdaSP(0.5, layer=0)])
@torch.no_grad()
def test_steps_without_positions_go_on_from_the_whole_prompt(method: MergeMethod) -> None:
    """A hand-written loop leaves positions to the model, which counts what layer 0 has cached."""
    model = tiny_decoder(layers=LAYERS)
    ids, audio = PROMPTS[0][0][None], PROMPTS[0][1][None]
    with merging(model, method, audio):
        expected = model.generate(ids, **SETTINGS)
    with merging(model, method, audio):
        out = model(ids, use_cache=True)
        for step, logits in enumerate(expected.logits):
            torch.testing.assert_close(out.logits[:, -1], logits, atol=1e-5, rtol=1e-5)
            token = expected.sequences[:, ids.shape[1] + step, None]
            out = model(token, past_key_values=out.past_key_values, use_cache=True)


@torch.no_grad()
def test_a_forward_pass_without_cache_has_nothing_to_evict() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS)
    plain = model(ids, attention_mask=real, use_cache=False).logits
    with merging(model, Knorm(0.5), audio) as trace:
        assert torch.equal(model(ids, attention_mask=real, use_cache=False).logits, plain)
    assert (trace.cache_bytes, trace.cached_tokens.tolist()) == (0, [real.sum(1).tolist()] * LAYERS)


@torch.no_grad()
def test_a_chain_of_one_is_that_method() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS)
    for method in (EveryOther(0.5), FastAdaSP(0.4, layer=1), Knorm(0.4)):
        logits = []
        for form in (method, Chain(**{method.site.name: method})):
            with merging(model, form, audio):
                logits.append(model.generate(ids, attention_mask=real, **SETTINGS).logits)
        assert all(map(torch.equal, *logits))


@torch.no_grad()
def test_each_stage_of_a_chain_works_on_what_the_one_before_left() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS)
    chain = Chain(input=EveryOther(0.5), decoder=FastAdaSP(0.5, layer=2), cache=Knorm(0.25, layer=1))
    with merging(model, chain, audio, keep_assignments=True) as trace:
        out = model.generate(ids, attention_mask=real, **SETTINGS)
    text = (real.sum(1) - audio.sum(1)).tolist()
    entering, merged = [20, 11, 0, 17], [10, 6, 0, 9]
    assert trace.entering_audio_tokens.tolist() == entering
    assert trace.audio_tokens.tolist() == [entering] * 2 + [merged] * 4
    evicted = [[n - int(n * 0.25) for n in counts] for counts in (entering, merged)]
    expected = [entering, evicted[0], evicted[0], evicted[1], evicted[1], evicted[1]]
    assert (trace.cached_tokens - torch.tensor(text)).tolist() == expected
    assert sorted(trace.cache_assignments) == [1, 2, 3, 4, 5]
    assert list(trace.assignments) == [2]
    widths = [layer.keys.shape[2] - 4 for layer in out.past_key_values.layers]
    assert widths == [max(map(sum, zip(counts, text, strict=True))) for counts in expected]


@pytest.mark.parametrize("method", [FastAdaSP(0.5, layer=1, schedule="constant"), RandomEvict(0.5)])
@torch.no_grad()
def test_earlier_caches_follow_the_tokens(method: MergeMethod) -> None:
    """The prefill is as without; what each layer holds is the full cache, moved by every decision from it on."""
    model = tiny_decoder(layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS)
    caches = []
    for earlier in (False, True):
        with merging(model, replace(method, earlier_caches=earlier), audio, keep_assignments=True) as trace:
            out = model.generate(ids, attention_mask=real, **{**SETTINGS, "max_new_tokens": 1})
        caches.append(out)
    assert torch.equal(caches[0].logits[0], caches[1].logits[0])
    assert torch.equal(trace.cached_tokens, trace.tokens[-1].expand(LAYERS, -1))
    for index, (full, short) in enumerate(zip(*(out.past_key_values.layers for out in caches), strict=True)):
        moved = full.values.transpose(1, 2).flatten(2)
        for layer in sorted(layer for layer in trace.assignments if layer >= index):
            moved = apply(moved, trace.assignments[layer])
        torch.testing.assert_close(short.values.transpose(1, 2).flatten(2), moved)


@torch.no_grad()
def test_merging_with_eviction_is_merging_then_evicting_by_received_attention() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS)
    whole = FastAdaSPKVEvict(0.4, layer=1)
    parts = Chain(decoder=FastAdaSP(0.4, layer=1), cache=H2O(0.4, layer=2, recent=0, decode=False))
    logits = []
    for method in (whole, parts):
        with merging(model, method, audio) as trace:
            logits.append(model.generate(ids, attention_mask=real, **SETTINGS).logits)
    assert all(map(torch.equal, *logits))
    text = (real.sum(1) - audio.sum(1))[0]
    assert (trace.cached_tokens[:, 0] - text).tolist() == [40, 40, 15, 15, 15, 15]  # 40 -> 24 merged -> 15 cached


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ({"cache": FastAdaSP(0.3)}, r"merge\.cache is FastAdaSP, which acts at site decoder"),
        ({"decoder": Chain()}, r"merge\.decoder must be one method"),
        ({"decoder": 0.3}, r"merge\.decoder must be one method"),
        ({"input": {"ratio": 0.3}}, r"merge\.input has a ratio but no method"),
        ({"ratio": 0.3}, r"merge\.decoder\.ratio"),
    ],
)
def test_impossible_chains_are_refused(stages: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Chain(**stages)


def test_two_methods_at_one_site_and_layers_that_do_not_exist_are_refused() -> None:
    class Twice(Chain):
        def stages(self) -> tuple[MergeMethod, ...]:
            return FastAdaSP(0.3), Average(0.3)

    with pytest.raises(ConfigError, match="FastAdaSP and Average both act at site decoder"):
        Stages.of(Twice(), 12)
    with pytest.raises(ConfigError, match="the model has 12 layers"):
        Stages.of(Chain(cache=Knorm(0.3, layer=12)), 12)
    with pytest.raises(ConfigError, match=r"merge\.earlier_caches"):
        Stages.of(Chain(decoder=FastAdaSP(0.3, earlier_caches=True), cache=Knorm(0.3)), 12)
