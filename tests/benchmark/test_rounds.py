"""Turns of contenders, some of which run out of memory."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fastadasp.benchmark import ceiling as ceilings
from fastadasp.benchmark.ceiling import Ceiling
from fastadasp.benchmark.journal import Journal
from fastadasp.benchmark.rounds import rounds
from fastadasp.evaluation.hardware import Hardware, Placement
from fastadasp.measuring import memory_guard, meters
from fastadasp.measuring.memory_guard import none_if_out_of_memory, ran_out

CPU = Placement("cpu", "float32", "sdpa")


class Work:
    """Notes who is called; contenders that are too large run out of memory from their n-th call on."""

    def __init__(self, **too_large: int) -> None:
        self.too_large, self.calls = too_large, []

    def __call__(self, name: str, warming_up: bool) -> int:
        self.calls.append(name.upper() if warming_up else name)
        if self.calls.count(name) + self.calls.count(name.upper()) >= self.too_large.get(name, 100):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return len(self.calls)


def test_one_round_warms_up_and_nothing_is_emptied_between_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))
    work, looks = Work(), []
    assert rounds(work, ["a", "b"], 2, lambda: looks.append(1)) == [[3, 5], [4, 6]]
    assert work.calls == ["A", "B", "a", "b", "a", "b"]
    assert len(looks) == 3 and not emptied


def test_after_a_lack_of_memory_the_others_warm_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))
    work = Work(b=1)
    assert rounds(work, ["a", "b", "c"], 1) == [[6], [], [7]]
    assert work.calls == ["A", "B", "C", "A", "C", "a", "c"]
    assert len(emptied) == 1


def test_who_runs_out_later_loses_all_samples_and_that_round_counts_for_nobody() -> None:
    work = Work(b=3)
    assert rounds(work, ["a", "b"], 2) == [[3, 8], []]
    assert work.calls == ["A", "B", "a", "b", "a", "b", "A", "a"]
    assert rounds(Work(a=1, b=1), ["a", "b"], 2) == [[], []]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("x"),
        MemoryError(),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_lack_of_memory_has_many_names(error: Exception) -> None:
    def work() -> None:
        raise error

    assert none_if_out_of_memory(work) is None


def test_a_lack_of_memory_that_breaks_a_recording_counts_and_other_errors_do_not() -> None:
    def recording() -> None:
        try:
            raise torch.OutOfMemoryError
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    assert none_if_out_of_memory(recording) is None
    with pytest.raises(RuntimeError, match="shapes differ"):
        none_if_out_of_memory(lambda: (_ for _ in ()).throw(RuntimeError("shapes differ")))
    assert not ran_out(RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED"))
    assert memory_guard.none_if_out_of_memory(lambda: 3) == 3


def test_a_journal_drops_a_torn_line_and_knows_other_hardware(tmp_path: Path) -> None:
    file, hardware = tmp_path / "cases.jsonl", Hardware(device="cpu")
    journal = Journal(file, hardware)
    assert journal.once(["a"], lambda: (1, 2)) == [1, 2]
    journal.add(["b"], 3)
    journal.add(["b"], 4)
    whole = file.read_text()
    file.write_text(whole + json.dumps({"key": ["c"]})[:-3])
    journal = Journal(file, hardware)
    assert file.read_text() == whole
    assert (journal.get(["a"]), journal.get(["b"]), journal.get(["c"])) == ([1, 2], 4, None)
    assert Journal(file, Hardware(device="cpu", threads=1)).get(["a"]) is None


@pytest.mark.parametrize("damaged", ["x", "[1]", "{}", "\0\0", '{"key": 1, "value": 2}'])
def test_what_a_damaged_line_of_a_journal_held_is_measured_again(tmp_path: Path, damaged: str) -> None:
    file, hardware = tmp_path / "cases.jsonl", Hardware(device="cpu")
    Journal(file, hardware).add(["a"], 1)
    file.write_text(f"{damaged}\n{file.read_text()}")
    journal = Journal(file, hardware)
    assert (journal.once(["a"], lambda: 7), journal.once(["b"], lambda: 2)) == (1, 2)
    assert Journal(file, hardware).get(["b"]) == 2


def test_the_ceiling_is_the_most_that_was_ever_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([(3.0, 5.0), (4.0, 2.0), (1.0, 1.0)])
    monkeypatch.setattr(ceilings, "measured_limits", lambda *_: next(found))
    hardware = Hardware(device="cpu")
    ceiling = Ceiling(hardware, CPU, Journal(tmp_path / "cases.jsonl", hardware))
    ceiling.remeasure()
    assert (ceiling.limits.flops, ceiling.limits.bandwidth, ceiling.limits.source) == (4.0, 5.0, "measured")
    again = Ceiling(hardware, CPU, Journal(tmp_path / "cases.jsonl", hardware))
    again.remeasure()
    assert (again.limits.flops, again.limits.bandwidth) == (4.0, 5.0)
    sheet = Hardware(device="cpu", peak_flops=7, bandwidth=8)
    assert Ceiling(sheet, CPU, Journal(tmp_path / "cases.jsonl", sheet)).limits.source == "data sheet"


def test_energy_of_a_short_call_is_averaged_over_many(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)
    monkeypatch.setattr(meters, "time", clock)
    monkeypatch.setattr(meters, "energy_j", lambda _: 10.0)
    monkeypatch.setattr(meters, "energy_since", lambda began_j, _: 20.0 * clock.now)

    def call() -> None:
        clock.now += 0.4

    assert meters.joules(call, torch.device("cpu")) == pytest.approx(8.0)
    assert clock.now == pytest.approx(1.6), "until 1.5 s have passed"
    monkeypatch.setattr(meters, "energy_j", lambda _: None)
    assert meters.joules(call, torch.device("cpu")) is None
