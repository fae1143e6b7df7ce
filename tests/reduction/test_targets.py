"""Targets at their ends: nothing to remove, prompts without audio, layers without caches, prompts out of reach."""

import pytest
import torch

from fastadasp import merging
from fastadasp.errors import ConfigError
from fastadasp.merge.affinity_pooling import AffinityPooling
from fastadasp.merge.average import Average
from fastadasp.merge.fastadasp_kv_evict import FastAdaSPKVEvict
from fastadasp.merge.h2o import H2O
from fastadasp.merge.pyramidkv import PyramidKV
from fastadasp.merge.stride import Stride
from fastadasp.reduction.method import MergeMethod
from fastadasp.reduction.stages import Stages
from fastadasp.reduction.target import solve_ratio
from tests.helpers.method_states import input_state
from tests.helpers.tiny_decoders import LAYERS, left_padded, prompt, tiny_decoder


@pytest.mark.parametrize("target", [{"flops_reduction": 0.0}, {"tokens_kept": 500}])
def test_a_target_that_nothing_needs_to_go_for_keeps_adaptive_methods_from_removing(target: dict[str, float]) -> None:
    method = solve_ratio(AffinityPooling(threshold=0.0, **target), [(28, 4)], 12, sum)
    state = input_state(0.0, rows=[(2, 28, 2)])
    state.hidden_BTD[:] = 1
    assert not method.has_target
    assert method.given_ratio == 0
    assert method.assign(state).lengths == (32,)
    assert AffinityPooling(threshold=0.0).assign(state).lengths == (5,)


@pytest.mark.parametrize("method", [Average, Stride, H2O])
def test_prompts_without_audio_count_for_nothing_in_the_tokens_to_keep(method: type[MergeMethod]) -> None:
    prompts = [(0, 12)] * 25 + [(10, 4)]
    solved = solve_ratio(method(tokens_kept=5, layer=0), prompts, 12, sum)
    assert solved == solve_ratio(method(tokens_kept=5, layer=0), prompts[-1:], 12, sum)
    assert 10 - int(10 * solved.ratio) == 5
    assert solve_ratio(method(tokens_kept=5, layer=0), prompts[:3], 12, sum).ratio == 0


@pytest.mark.parametrize("kept", [1, 3, 40, 99])
def test_a_pyramid_keeps_the_number_asked_for(kept: int) -> None:
    for tokens in (*range(1, 60), 400, 401):
        method = solve_ratio(PyramidKV(tokens_kept=kept, window=6), [(tokens, 3)], 12, sum)
        evicted = [method.eviction(tokens, layer, 12) for layer in range(12)]
        assert sum(evicted) == 12 * max(0, tokens - kept)


def test_merging_at_the_last_layer_leaves_no_cache_to_evict_from() -> None:
    stages = Stages.of(FastAdaSPKVEvict(ratio=0.5, layer=LAYERS - 1), LAYERS)
    assert stages.cache is None and stages.decoder is not None
    ids, audio = prompt(5, 30, 6)
    method = FastAdaSPKVEvict(ratio=0.5, layer=LAYERS - 1)
    model = tiny_decoder()
    with torch.no_grad(), merging(model, method, audio[None]) as trace:
        model(ids[None], use_cache=True)
    assert trace.audio_tokens[:, 0].tolist() == [30] * (LAYERS - 1) + [15]
    assert trace.cached_tokens[:, 0].tolist() == [41] * LAYERS
    with pytest.raises(ConfigError, match=rf"got {LAYERS}: the model has {LAYERS} layers"):
        Stages.of(FastAdaSPKVEvict(ratio=0.5, layer=LAYERS), LAYERS)
    with pytest.raises(ConfigError, match=rf"got {LAYERS}: the model has {LAYERS} layers"):
        Stages.of(H2O(ratio=0.5, layer=LAYERS), LAYERS)


@torch.no_grad()
def test_the_row_that_cannot_meet_a_target_is_named() -> None:
    rows = [prompt(3, 60, 5, seed=1), prompt(30, 2, 20, seed=2)]
    ids, real, audio = left_padded(rows)
    model, method = tiny_decoder(), Average(flops_reduction=0.3, layer=0)
    message = r"row 1 of the batch, with 2 audio and 50 other tokens: .*out of reach.*; or give all prompts one"
    with pytest.raises(ConfigError, match=message), merging(model, method, audio):
        model(input_ids=ids, attention_mask=real)
