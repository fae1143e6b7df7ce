"""The merge's clock sees every site, and only looks on."""

from contextlib import AbstractContextManager, nullcontext

import pytest
import torch

from fastadasp import FastAdaSP, MergeMethod, RandomMerge, merging
from fastadasp.measuring.clock import GenerationClock, MergeClock
from fastadasp.merge.fastadasp_kv_evict import FastAdaSPKVEvict
from fastadasp.merge.stride import Stride
from fastadasp.process import device_time
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
    monkeypatch.setattr(device_time, "time", Ticks())
    clock = MergeClock()
    with merging(model, method, audio[None], watch=clock):
        model.generate(ids[None], do_sample=False, max_new_tokens=3)
    assert clock.seconds == asked, "nothing reads the clock between a beginning and its end"


def test_a_watched_method_and_model_are_left_alone() -> None:
    model, (ids, audio), method = tiny_decoder(), prompt(6, 50, 9), FastAdaSPKVEvict(ratio=0.5, layer=3)
    seen = []

    class Onlooker:
        """Notes what the method holds while it is asked."""

        def reducing(self, device: torch.device) -> AbstractContextManager[None]:
            seen.append((device.type, dict(vars(method))))
            return nullcontext()

    before = dict(vars(method))
    with merging(model, method, audio[None]):
        unwatched = model(ids[None]).logits
    with merging(model, method, audio[None], watch=Onlooker()):
        assert torch.equal(model(ids[None]).logits, unwatched)
    assert seen == [("cpu", before)] * 9 and vars(method) == before


def test_a_reduction_that_an_exception_ends_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (ids, audio), method = tiny_decoder(), prompt(6, 50, 9), FastAdaSP(ratio=0.5, layer=3)
    monkeypatch.setattr(FastAdaSP, "assign", lambda *_: 1 / 0)
    clock = MergeClock()
    with pytest.raises(ZeroDivisionError), merging(model, method, audio[None], watch=clock):
        model(ids[None])
    assert clock.seconds == 0


@pytest.mark.parametrize(("new_tokens", "whole"), [(1, 3), (4, 4)])
def test_the_first_token_is_there_when_the_second_pass_begins(
    new_tokens: int, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (ids, _) = tiny_decoder(), prompt(6, 50, 9)
    monkeypatch.setattr(device_time, "time", Ticks())
    with GenerationClock(model, CPU) as clock:
        model.generate(ids[None], do_sample=False, max_new_tokens=new_tokens)
    # Ticks: the call, the prefill's beginning and end, the second pass if there is one, the end.
    assert (clock.prefill_s, clock.ttft_s, clock.decode_s) == (1, 3, whole - 2)
    assert clock.decode_steps == new_tokens - 1
