"""What fits into a GPU's memory, on a stand-in for one."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from fastadasp.benchmark import bench as benches
from fastadasp.benchmark import capacity as module
from fastadasp.benchmark import report
from fastadasp.benchmark.bench import Bench
from fastadasp.benchmark.capacity import MOST_SECONDS, capacity, largest
from fastadasp.benchmark.cases import Sweep, Way
from fastadasp.benchmark.contenders import Contender
from fastadasp.benchmark.journal import Journal
from fastadasp.benchmark.long_audio import LongAudio
from fastadasp.benchmark.shapes import SpeechShape
from fastadasp.evaluation.hardware import Hardware
from fastadasp.reduction.method import Schedule

SHAPE = SpeechShape(layers=6, hidden=32, intermediate=48, heads=4, kv_heads=2, head_dim=8, vocab=64)
MODEL = SimpleNamespace(device=torch.device("cuda"))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A GPU of 40 GiB on which rows of audio take 1 GiB a minute and beam; gives the memory limits that are set."""
    fractions: list[float] = []

    def answer(model: object, contender: object, prompt: tuple[float, int], beams: int, new_tokens: int) -> str:
        seconds, rows = prompt
        if seconds / 60 * rows * beams > fractions[-1] * 40:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        return "answered"

    monkeypatch.setattr(module, "answer", answer)
    monkeypatch.setattr(module, "prompt", lambda shape, seconds, rows, model: (seconds, rows))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=40 * 2**30))
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda fraction, device: fractions.append(fraction)
    )
    return fractions


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 7, 8, 1000])
def test_largest_that_fits(limit: int) -> None:
    asked = []

    def fits(size: int) -> bool:
        asked.append(size)
        return size <= limit * 30

    assert largest(fits, 30, 3000) == min(limit, 100) * 30
    assert len(asked) <= 15 and max(asked) <= 3000


@pytest.mark.parametrize(
    ("memory_gib", "beams", "fraction", "expected"),
    [
        (None, 1, 0.95, {"rows": 19, "seconds": 2280}),  # 38 GiB: what lies outside the allocator needs some
        (20, 1, 0.5, {"rows": 10, "seconds": 1200}),
        (20, 5, 0.5, {"rows": 2, "seconds": 240}),
        (80, 1, 0.95, {"rows": 19, "seconds": 2280}),
    ],
)
def test_rows_and_seconds(
    gpu: list[float], memory_gib: float | None, beams: int, fraction: float, expected: dict[str, int]
) -> None:
    found = capacity(MODEL, SHAPE, None, beams=beams, seconds=120, memory_gib=memory_gib)
    assert found == expected
    assert gpu == [fraction, 1.0], "the whole memory is there again afterwards"


def test_an_error_is_not_taken_for_a_lack_of_memory(gpu: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "answer", lambda *_, **__: [][0])
    with pytest.raises(IndexError):
        capacity(MODEL, SHAPE, None, beams=1, seconds=120, memory_gib=None)
    assert gpu[-1] == 1.0


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    """A bench whose journal is on disk."""

    def make(**settings: object) -> Bench:
        sweeps = {"answers": Sweep([60, 120], beams=[2, 5])}
        wanted = LongAudio(shapes={"tiny": SHAPE}, sweeps=sweeps, schedules=[Schedule.once], **settings)
        journal = Journal(tmp_path / "cases.jsonl", Hardware(device="cpu"))
        return Bench(wanted, "tiny", MODEL, None, journal)

    return make


def test_each_contender_is_kept_as_it_comes(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, Contender]] = []

    def search(model: object, shape: object, contender: Contender, *, beams: int, **_: object) -> dict[str, int]:
        if (beams, contender) == broken_off_at:
            raise KeyboardInterrupt
        asked.append((beams, contender))
        return {"rows": beams, "seconds": MOST_SECONDS}

    monkeypatch.setattr(benches, "capacity", search)
    broken_off_at = (5, Contender(Way.merging, None, 0.5, 2))
    with pytest.raises(KeyboardInterrupt):
        bench()._capacity()
    assert len(asked) == 8
    broken_off_at = (0, None)
    found = bench()._capacity()
    assert len(asked) == len(set(asked)) == 12, "nothing was searched twice"
    assert list(found["by_beams"]) == ["1", "5"] and found["seconds"] == 120
    assert found["by_beams"]["5"]["static, 50% once"] == {"rows": 5, "seconds": MOST_SECONDS}
    assert len(found["by_beams"]["1"]) == len(Way) * 2
    assert bench(quick=True)._capacity() == {}


def test_table_of_what_fits() -> None:
    console = Console(record=True, width=100)
    by_beams = {
        "1": {"static, full": {"rows": 3, "seconds": MOST_SECONDS}},
        "5": {"static, full": {"rows": 0, "seconds": 30}},
    }
    report._capacity(console, "tiny", {"seconds": 600, "by_beams": by_beams})
    text = console.export_text()
    assert "beams: 1" in text and "beams: 5" in text and "rows of 600 s" in text
    assert f"{MOST_SECONDS} or more" in text
    report._capacity(console, "tiny", {})
    assert console.export_text() == ""
