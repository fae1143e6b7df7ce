"""Reading audio in worker processes, ahead of the model.

What workers read comes back as bytes through a pipe. torch would hand tensors over in shared memory, of which
containers often have a few megabytes: where it runs out, a batch is lost and its reader waits for ever.
"""

import io
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fastadasp.errors import InputError
from fastadasp.evaluation.batches import PreparedBatch, PreparedBatches


class ReaderError(InputError):
    """A process that reads audio ended, or could not be started."""


class ReadAhead(Iterable[PreparedBatch]):
    """Prepared batches in a given order, read by worker processes while the model is at work.

    order: positions in `batches`; it is asked for the next one only when a worker is free.
    length: how many positions `order` has, for a progress bar; None where that shows only as it goes.
    workers: 0 reads in this process.
    ahead: batches that each worker reads before they are asked for.
    """

    def __init__(
        self, batches: PreparedBatches, order: Iterable[int], length: int | None, workers: int, ahead: int = 2
    ) -> None:
        self._batches, self._order, self._length = batches, order, length
        self._workers = min(workers, len(batches))
        self._ahead = ahead

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("how many batches there are shows only as they are taken")
        return self._length

    def __iter__(self) -> Iterator[PreparedBatch]:
        read = iter(map(self._batches.__getitem__, self._order) if not self._workers else self._by_workers())
        began = time.perf_counter()
        for batch in read:
            yield replace(batch, spent={**batch.spent, "wait_s": time.perf_counter() - began})
            began = time.perf_counter()

    def _by_workers(self) -> Iterator[PreparedBatch]:
        loader: DataLoader[bytes] = DataLoader(
            _Packed(self._batches),
            batch_size=None,
            sampler=self._order,
            num_workers=self._workers,
            prefetch_factor=self._ahead,
            worker_init_fn=_end_with_parent,
            multiprocessing_context=start_method(),
        )
        with explained_reader_loss():
            for packed in _started(loader):
                batch = pickle.loads(packed)
                if isinstance(batch, InputError):
                    raise batch
                yield batch


def start_method() -> str:
    """How this platform starts processes by default: `fork` on Linux up to Python 3.13, `spawn` on macOS and Windows.

    Named, since inside a process of joblib Python's own default is joblib's, which data workers cannot use.
    """
    return multiprocessing.get_all_start_methods()[0]


@contextmanager
def explained_reader_loss() -> Iterator[None]:
    """Word what torch says when a data worker ends; torch may say so wherever the main process is just then."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).split("\n")[0].rstrip(". ")
        if "DataLoader worker" not in reason or reason.startswith("Caught"):  # the latter: an error in our own code
            raise
        raise ReaderError(
            f"a process that reads audio has ended: {reason}. The system may have ended it because memory ran out; "
            "what was answered is kept. Use fewer of them (hardware.num_workers); with 0 none is started"
        ) from error


def _started(loader: DataLoader[bytes]) -> Iterator[bytes]:
    try:
        return iter(loader)
    except OSError as error:
        raise ReaderError(
            f"no process to read audio can be started ({error.strerror or error}); hardware.num_workers=0 needs none"
        ) from error


def _end_with_parent(_: int) -> None:
    """End this process soon after the one that reads from it has been killed.

    torch's own check is not enough: a process that ends waits until its last batch is taken from the pipe.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Packed(Dataset[bytes]):
    """Each batch as bytes, and an error that the user can mend as bytes too, without the traceback that torch adds."""

    def __init__(self, batches: PreparedBatches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, position: int) -> bytes:
        try:
            return pack(self._batches[position])
        except InputError as error:
            return pack(error)


def pack(content: Any) -> bytes:
    """Pickle, tensors by their bytes."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(content)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, content: Any) -> Any:
        if type(content) is Tensor and content.dtype is not torch.bfloat16 and content.is_contiguous():
            return torch.from_numpy, (content.numpy(),)
        return NotImplemented
