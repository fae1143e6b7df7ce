"""The merge's clock sees every site, and leaves method and model as they were."""

import pytest
import torch

from fastadasp import FastAdaSP, MergeMethod, RandomMerge, merging
from fastadasp.measuring import clock as clocks
from fastadasp.measuring.clock import GenerationClock, MergeClock
from fastadasp.merge.fastadasp_kv_evict import FastAdaSPKVEvict
from fastadasp.merge.stride import Stride
from tests.helpers.tiny_decoders import prompt, tiny_decoder

CPU = torch.device("cpu")


class Ticks:
    """A clock that goes on by one whenever it is read."""

    def __init__(self) -> None:
        self.now = 0

    def perf_counter(self) -> int:
        self.now += 1
        return self.now


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        (FastAdaSP(ratio=0.5, layer=3), 1),
        (FastAdaSP(ratio=0.5, layer=3, schedule="constant"), 9),
        (FastAdaSP(flops_reduction=0.2, layer=3), 1),
        (FastAdaSPKVEvict(ratio=0.5, layer=3), 9),  # merges at layer 3, evicts from layer 4 on
        (Stride(ratio=0.5), 1),  # before layer 0
        (RandomMerge(layer=3), 0),
    ],
)
def test_each_time_that_a_method_is_asked_counts(
    method: MergeMethod, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (ids, audio) = tiny_decoder(), prompt(6, 50, 9)
    monkeypatch.setattr(clocks, "time", Ticks())
    before = dict(vars(method))
    with MergeClock(model, method) as clock, merging(model, method, audio[None]):
        model.generate(ids[None], do_sample=False, max_new_tokens=3)
    assert clock.seconds == asked, "nothing reads the clock between a beginning and its end"
    assert vars(method) == before
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_prefill_that_breaks_off_leaves_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (ids, audio), method = tiny_decoder(), prompt(6, 50, 9), FastAdaSP(ratio=0.5, layer=3)
    monkeypatch.setattr(FastAdaSP, "assign", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), MergeClock(model, method), merging(model, method, audio[None]):
        model(ids[None])
    assert "assign" not in vars(method)
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(("new_tokens", "whole"), [(1, 3), (4, 4)])
def test_the_first_token_is_there_when_the_second_pass_begins(
    new_tokens: int, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (ids, _) = tiny_decoder(), prompt(6, 50, 9)
    monkeypatch.setattr(clocks, "time", Ticks())
    with GenerationClock(model, CPU) as clock:
        model.generate(ids[None], do_sample=False, max_new_tokens=new_tokens)
    # Ticks: the call, the prefill's beginning and end, the second pass if there is one, the end.
    assert (clock.prefill_s, clock.ttft_s, clock.decode_s) == (1, 3, whole - 2)
    assert clock.decode_steps == new_tokens - 1
