"""Cache methods against kvpress: which tokens stay in each layer and head (`experiments/peers/kvpress_golden.py`).

Both sides build the same decoders from the same formula. Ratios are matched in tokens: where kvpress rounds another
way, ours is asked for the same count (`docs/peers.md`).
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.peers.decoders import DECODERS, LAYERS, Prompt, decoder
from fastadasp import merging
from fastadasp.merge.adakv import AdaKV
from fastadasp.merge.chunkkv import ChunkKV
from fastadasp.merge.criticalkv import CriticalKV
from fastadasp.merge.expected_attention import ExpectedAttention
from fastadasp.merge.finch import Finch
from fastadasp.merge.h2o import H2O
from fastadasp.merge.keydiff import KeyDiff
from fastadasp.merge.knorm import Knorm
from fastadasp.merge.pyramidkv import PyramidKV
from fastadasp.merge.snapkv import SnapKV
from fastadasp.merge.streaming_llm import StreamingLLM
from fastadasp.merge.tova import TOVA
from fastadasp.reduction.cache_method import CacheMethod

Kept = list[list[set[int]]]
"""By layer and key-value head."""

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("kvpress.json").read_text(encoding="utf-8"))
NAMES = {
    "window_size": "window",
    "kernel_size": "kernel",
    "n_sink": "sinks",
    "n_future_positions": "future",
    "alpha_safeguard": "safeguard",
    "chunk_length": "chunk",
    "first_stage_ratio": "first_stage",
}
"""Settings that kvpress calls otherwise."""
METHODS: Mapping[str, Callable[..., CacheMethod]] = {
    "SnapKV": SnapKV,
    "PyramidKV": PyramidKV,
    "TOVA": TOVA,
    "KeyDiff": KeyDiff,
    "Knorm": Knorm,
    "StreamingLLM": StreamingLLM,
    "ExpectedAttention": ExpectedAttention,
    "SummedAttention": lambda ratio, **settings: H2O(ratio, recent=0.0, decode=False, **settings),
    "Finch": Finch,
    "AdaKV": AdaKV,
    "ChunkKV": ChunkKV,
    "CriticalKV": CriticalKV,
}

model = cache(decoder)


def kept_by_kvpress(case: Mapping[str, Any], name: str) -> Kept:
    return [
        [{t for t in range(int(bits, 16).bit_length()) if int(bits, 16) >> t & 1} for bits in layer]
        for layer in case["kept"][name]
    ]


def built(case: Mapping[str, Any], ratio: float) -> CacheMethod:
    settings = renamed(case["settings"])
    if "wrapper" not in case:
        return METHODS[case["press"]](ratio, layer=0, protect_text=case["protect_text"], **settings)
    wrapped = renamed(case["wrapper_settings"])
    return METHODS[case["wrapper"]](ratio, protect_text=False, scorer=METHODS[case["press"]](**settings), **wrapped)


def renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {NAMES.get(key, key): value for key, value in settings.items()}


@torch.no_grad()
def kept_here(method: CacheMethod, name: str, prompt: Prompt, attention: str = "sdpa") -> Kept:
    with merging(model(name, attention), method, prompt.audio_mask, keep_assignments=True) as trace:
        model(name, attention)(prompt.ids, use_cache=True)
    return [
        [set((slots >= 0).nonzero().flatten().tolist()) for slots in trace.cache_assignments[layer].slot]
        for layer in range(LAYERS)
    ]


def label(case: Mapping[str, Any]) -> str:
    wrapper = f"{case['wrapper']}-" if "wrapper" in case else ""
    return f"{wrapper}{case['press']}-{case['ratio']}-{sum(case['prompt'])}{'-text' * case['protect_text']}"


@pytest.mark.parametrize("name", DECODERS)
@torch.no_grad()
def test_both_sides_run_the_same_decoder(name: str) -> None:
    prompt = Prompt(*GOLDEN["cases"][0]["prompt"])
    logits = model(name, "sdpa")(prompt.ids).logits[0, -1, :6]
    torch.testing.assert_close(logits, torch.tensor(GOLDEN["logits"][name]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("case", [case for case in GOLDEN["cases"] if case["press"] != "PyramidKV"], ids=label)
def test_each_head_keeps_what_kvpress_keeps(case: Mapping[str, Any], name: str) -> None:
    prompt, theirs = Prompt(*case["prompt"]), kept_by_kvpress(case, name)
    removable = prompt.audio if case["protect_text"] else prompt.length
    gone = [prompt.length - sum(map(len, heads)) // len(heads) for heads in theirs]
    for count in set(gone):  # whole chunks, one of them shorter, are not equally many tokens in each layer
        ours = kept_here(built(case, (count + 0.5) / removable), name, prompt)
        assert all(mine == other for mine, other, lost in zip(ours, theirs, gone, strict=True) if lost == count)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("case", [case for case in GOLDEN["cases"] if case["press"] == "PyramidKV"], ids=label)
def test_each_layer_of_a_pyramid_keeps_what_kvpress_keeps(case: Mapping[str, Any], name: str) -> None:
    """Budgets may differ by one token, since ours keep their mean; then one choice lies within the other."""
    prompt, theirs = Prompt(*case["prompt"]), kept_by_kvpress(case, name)
    ours = kept_here(built(case, case["ratio"]), name, prompt)
    for our_heads, their_heads in zip(ours, theirs, strict=True):
        for mine, other in zip(our_heads, their_heads, strict=True):
            assert abs(len(mine) - len(other)) <= 1
            assert mine <= other or other <= mine
    assert any(map(list.__eq__, ours, theirs))


def test_the_vectors_tell_methods_apart() -> None:
    """Agreement would prove little if all methods kept the same tokens, or all heads of one."""
    prompt = GOLDEN["cases"][0]["prompt"]
    by_press = {label(case).partition("-")[0]: case["kept"] for case in GOLDEN["cases"] if case["prompt"] == prompt}
    layers = [(press, str(kept["llama"][2])) for press, kept in by_press.items()]
    assert len({heads for _, heads in layers}) == len(layers)
    for press, kept in by_press.items():
        alike = len(set(kept["llama"][2])) == 1
        assert alike == (press in ("TOVA", "StreamingLLM", "ChunkKV"))
    assert any(len({int(bits, 16).bit_count() for bits in heads}) == 2 for heads in by_press["AdaKV"]["llama"])
