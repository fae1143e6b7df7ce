"""Every method in models as users have them: adapted, quantised, under autocast, and decoding in other ways.

Methods that look at an audio encoder are left out: these decoders have none (`test_audio_families.py` has).
"""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from fastadasp import H2O, MergeMethod, MergeTrace, merging
from tests.helpers.configs import METHODS, composed_method
from tests.helpers.surroundings import dequantised, helper, lora, merged_lora, quantised, small
from tests.helpers.tiny_decoders import left_padded, prompt, tiny_decoder

IDS, REAL, AUDIO = left_padded([prompt(5, 60, 7), prompt(3, 40, 9, seed=1)])
LISTENING = {"samp", "segment_topk", "visionzip", "vispruner"}
WITHOUT_ENCODER = sorted(set(METHODS) - LISTENING)
GREEDY = {"do_sample": False, "return_dict_in_generate": True, "output_logits": True}


def method_of(name: str) -> MergeMethod:
    return composed_method("task=sqa", f"merge={name}")


@torch.no_grad()
def read(model: Any, name: str) -> tuple[Tensor, MergeTrace]:
    """Logits of two new tokens, (2, B, vocabulary), and what was reduced."""
    with merging(model, method_of(name), AUDIO) as trace:
        logits = model.generate(input_ids=IDS, attention_mask=REAL, max_new_tokens=2, **GREEDY).logits
    return torch.stack(logits).float(), trace


@cache
def read_plainly(name: str) -> tuple[Tensor, MergeTrace]:
    """The same of the bare model."""
    return read(small(), name)


@pytest.mark.parametrize("name", WITHOUT_ENCODER)
def test_adapters_that_are_not_merged_count_as_merged_ones(name: str) -> None:
    found, expected = read(lora(), name), read(merged_lora(), name)
    torch.testing.assert_close(found[0], expected[0], atol=2e-3, rtol=2e-3)
    assert torch.equal(found[1].tokens, expected[1].tokens)
    if name != "none":
        assert not torch.allclose(found[0], read_plainly(name)[0], atol=1e-2), "the adapters changed nothing"


@pytest.mark.parametrize("name", WITHOUT_ENCODER)
def test_quantised_weights_are_used_and_never_read(name: str) -> None:
    """The weights' class knows `linear` alone, so that whoever looks into them fails."""
    found, expected = read(quantised(), name), read(dequantised(), name)
    torch.testing.assert_close(found[0], expected[0], atol=1e-3, rtol=1e-3)
    assert torch.equal(found[1].tokens, expected[1].tokens)


@pytest.mark.parametrize("name", WITHOUT_ENCODER)
def test_autocast_removes_as_many_tokens_as_full_precision(name: str) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, trace = read(small(), name)
    assert bool(logits.isfinite().all())
    assert torch.equal(trace.tokens, read_plainly(name)[1].tokens)


TWICE = torch.cat([prompt(12)[0], prompt(0, 40, seed=4)[0], prompt(12)[0]])[None]
"""The question stands before and after the audio, so that look-up finds it."""
BETWEEN = torch.zeros(TWICE.shape, dtype=torch.bool)
BETWEEN[:, 12:52] = True


@pytest.mark.parametrize("name", WITHOUT_ENCODER)
@torch.no_grad()
def test_guesses_are_taken_back_or_refused_with_the_reason(name: str) -> None:
    """Prompt look-up and assisted decoding write what greedy decoding writes."""
    model, settings = small(), {"max_new_tokens": 6, "do_sample": False, "attention_mask": torch.ones_like(TWICE)}
    guesses: list[dict[str, Any]] = [{"prompt_lookup_num_tokens": 3}, {"assistant_model": helper()}]
    with merging(model, method_of(name), BETWEEN):
        expected = model.generate(TWICE, **settings)
    for guess in guesses:
        with merging(model, method_of(name), BETWEEN):
            assert torch.equal(model.generate(TWICE, **settings, **guess), expected)


@torch.no_grad()
def test_a_cache_that_evicts_at_every_step_takes_nothing_back_and_says_so() -> None:
    settings = {"max_new_tokens": 8, "do_sample": False, "attention_mask": torch.ones_like(TWICE)}
    with (
        pytest.raises(ValueError, match=r"cannot take tokens back.*decode without them"),
        merging(small(), H2O(0.5, decode=True), BETWEEN),
    ):
        small().generate(TWICE, assistant_model=helper(), **settings)


@pytest.mark.parametrize("kind", ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig"])
def test_weights_that_torchao_has_quantised_lose_as_many_tokens(kind: str) -> None:
    """All methods in one test, since one model serves them; `test_quantised_weights_...` holds the numbers."""
    quantization = pytest.importorskip("torchao.quantization")
    model = tiny_decoder(layers=3)
    quantization.quantize_(model, getattr(quantization, kind)())
    for name in WITHOUT_ENCODER:
        logits, trace = read(model, name)
        assert bool(logits.isfinite().all()), name
        assert torch.equal(trace.tokens, read_plainly(name)[1].tokens), name
