"""Methods that shorten the cache, against a decoder written out token by token (`tests.helpers.cache_oracle`)."""

import pytest
import torch

from fastadasp import merging
from fastadasp.merge.expected_attention import ExpectedAttention
from fastadasp.merge.h2o import H2O
from fastadasp.merge.keydiff import KeyDiff
from fastadasp.merge.knorm import Knorm
from fastadasp.merge.pyramidkv import PyramidKV
from fastadasp.merge.snapkv import SnapKV
from fastadasp.merge.streaming_llm import StreamingLLM
from fastadasp.merge.tova import TOVA
from fastadasp.reduction.cache_method import CacheMethod
from tests.helpers.cache_oracle import (
    LAYERS,
    PROMPTS,
    STEPS,
    Score,
    check_against_oracle,
    expected_attention,
    last_query,
    newest_and_sinks,
    observation_window,
    received,
    small_norm,
    unlike_the_mean,
)
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

METHODS = [
    (H2O(0.5), received),
    (H2O(0.4, recent=0.0, decode=False), received),
    (H2O(0.7, recent=0.9, layer=1), received),
    (H2O(0.6, protect_text=False), received),
    (Knorm(0.5), small_norm),
    (KeyDiff(0.5), unlike_the_mean),
    (StreamingLLM(0.8), newest_and_sinks),
    (StreamingLLM(0.6, sinks=2, protect_text=False), newest_and_sinks),
    (TOVA(0.5), last_query),
    (SnapKV(0.5), observation_window),
    (SnapKV(0.6, window=8, kernel=3, protect_text=False), observation_window),
    (SnapKV(0.6, protect_text=False), observation_window),
    (PyramidKV(0.5, window=4, beta=3), observation_window),
    (ExpectedAttention(0.5, future=64), expected_attention),
    (ExpectedAttention(0.6, future=40, sinks=2, epsilon=0.01, protect_text=False), expected_attention),
]


@pytest.mark.crossed
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(("method", "score"), METHODS, ids=lambda value: str(getattr(value, "ratio", "")))
def test_caches_and_answers_are_the_oracles(method: CacheMethod, score: Score, attention: str) -> None:
    check_against_oracle(method, attention, score)


@torch.no_grad()
def test_memory_is_freed_and_counted() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS[:1] * 2)
    sizes = {}
    for method in (Knorm(), Knorm(0.5), Knorm(0.5, layer=1), H2O(0.5)):
        with merging(model, method, audio) as trace:
            out = model.generate(ids, attention_mask=real, max_new_tokens=STEPS, return_dict_in_generate=True)
        layers = out.past_key_values.layers
        assert trace.cache_bytes == sum(int(n) * 2 * 16 * 4 * 2 for n in trace.cached_tokens.flatten())
        assert all(layer.keys.untyped_storage().nbytes() == layer.keys.nbytes for layer in layers)
        sizes[method] = [layer.keys.shape[2] for layer in layers]
    generated = STEPS - 1
    assert list(sizes.values()) == [
        [52 + generated] * 3,
        [32 + generated] * 3,
        [52 + generated, 32 + generated, 32 + generated],
        [32] * 3,  # what is read pushes out what was there
    ]


def test_what_was_evicted_cannot_be_taken_back() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, audio = prompt(5, 40, 7)
    with pytest.raises(ValueError, match=r"merge\.decode=false"), merging(model, H2O(0.5), audio[None]):
        model.generate(ids[None], max_new_tokens=8, prompt_lookup_num_tokens=3)
