"""Audio is read ahead by processes, whatever the platform and however little shared memory there is."""

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import InputError
from fastadasp.evaluation import reading
from fastadasp.evaluation.batches import Batch, PreparedBatches, plan
from fastadasp.evaluation.reading import ReadAhead, ReaderError, pack
from fastadasp.tasks.base import Example


def example(id: str) -> Example:
    return Example(id=id, audio=(Path(f"{id}.wav"),), instruction="", reference="", seconds=float(id))


BATCHES = plan([example(str(number)) for number in range(6)], 2)


def prepared(size: int, item: Example) -> dict[str, object]:
    """Tensors as adapters make them, one of each kind that is handed over."""
    features = torch.full((size, 3), item.seconds)
    return {
        "features": features,
        "half": features.bfloat16(),
        "ids": torch.arange(4),
        "audio": np.ones(5),
        "id": item.id,
    }


def refused(item: Example) -> None:
    raise InputError(f"{item.id}: its instruction cannot be worded")


def killed(item: Example) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def reader(prepare: partial[object] | object, workers: int = 2) -> ReadAhead:
    return ReadAhead(PreparedBatches(BATCHES, prepare), range(len(BATCHES)), len(BATCHES), workers)  # type: ignore[arg-type]


@pytest.mark.parametrize("start", multiprocessing.get_all_start_methods())
def test_what_processes_read_is_what_this_one_reads(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: [start])
    assert reading.start_method() == start
    here, there = (list(reader(partial(prepared, 2), workers)) for workers in (0, 2))
    assert [batch.index for batch in there] == [batch.index for batch in here] == [0, 1, 2]
    for one, other in zip(here, there, strict=True):
        for (first, mine), (second, theirs) in zip(one.ready, other.ready, strict=True):
            assert first == second and mine["id"] == theirs["id"]
            for name in ("features", "half", "ids"):
                assert torch.equal(mine[name], theirs[name]) and mine[name].dtype == theirs[name].dtype
            assert np.array_equal(mine["audio"], theirs["audio"])
            theirs["features"] += 1  # it is nobody else's memory


def test_packed_tensors_come_back_with_their_strides_and_types() -> None:
    for tensor in (torch.arange(6).view(2, 3).T, torch.zeros(0, 4), torch.tensor(3.0), torch.ones(2, dtype=torch.bool)):
        back = pickle.loads(pack({"x": [tensor]}))["x"][0]
        assert torch.equal(back, tensor) and back.dtype == tensor.dtype and back.shape == tensor.shape


def test_the_next_batch_is_taken_only_when_a_process_is_free() -> None:
    taken: list[int] = []

    def order() -> Iterator[int]:
        for position in range(100):
            taken.append(position)
            yield position % len(BATCHES)

    ahead = ReadAhead(PreparedBatches(BATCHES, partial(prepared, 1)), order(), None, workers=1, ahead=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="only as they are taken"):
        len(ahead)
    batches = iter(ahead)
    next(batches)
    assert len(taken) <= 3
    del batches


def test_an_error_of_the_user_comes_without_the_traceback_of_the_process_that_met_it() -> None:
    for workers in (0, 2):
        with pytest.raises(InputError) as caught:
            list(reader(refused, workers))
        assert str(caught.value) == "5: its instruction cannot be worded"


def test_a_reader_that_is_killed_ends_the_reading_with_a_sentence() -> None:
    with pytest.raises(ReaderError, match=r"a process that reads audio has ended: .*hardware\.num_workers"):
        list(reader(killed))


def test_where_no_process_can_be_started_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading.DataLoader, "__iter__", full)
    with pytest.raises(ReaderError, match=r"No space left on device.*hardware\.num_workers=0 needs none"):
        list(reader(partial(prepared, 1)))


SMALL_MEMORY = """
import sys, torch
from functools import partial
sys.path.insert(0, "{repository}")
from tests.evaluation.test_reading import prepared, reader
print(sum(int(row["features"].numel()) for batch in reader(partial(prepared, 2**19)) for _, row in batch.ready))
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a mount of its own")
def test_batches_larger_than_the_shared_memory_arrive() -> None:
    mount = "mount -t tmpfs -o size=4m tmpfs /dev/shm"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a small /dev/shm")
    script = SMALL_MEMORY.format(repository=REPOSITORY)
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 6 * 3 * 2**19, "six rows of 6 MB each"


def test_an_empty_batch_is_no_batch() -> None:
    ahead = ReadAhead(PreparedBatches([Batch(0, ())], partial(prepared, 1)), iter([]), None, workers=1)  # type: ignore[arg-type]
    assert list(ahead) == []
