"""Bringing the inputs of the next batch to the GPU while the model is at work on the one before."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import torch

from fastadasp.evaluation.batches import PreparedBatch

Stage = Callable[[PreparedBatch], dict[tuple[str, ...], Any]]
"""Makes the inputs of a batch: by the ids of examples that the model reads together, what it reads."""


class Staged(Iterable[PreparedBatch]):
    """Batches with their `inputs`, made one batch ahead by a thread; on CUDA in a stream of its own.

    length: as in ReadAhead. Errors of reading and of `stage` are raised when their batch is due.
    """

    def __init__(self, batches: Iterable[PreparedBatch], stage: Stage, device: torch.device) -> None:
        self._batches, self._stage, self._device = batches, stage, device

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]  # a TypeError where that shows only as it goes

    def __iter__(self) -> Iterator[PreparedBatch]:
        read = iter(self._batches)
        stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None  # type: ignore[no-untyped-call]
        with ThreadPoolExecutor(1, thread_name_prefix="staging") as pool:
            coming = pool.submit(self._next, read, stream)
            while (found := _result(coming)) is not None:
                coming = pool.submit(self._next, read, stream)
                batch, ready = found
                if ready is not None:
                    _hand_over(batch, ready)
                yield batch

    def _next(
        self, read: Iterator[PreparedBatch], stream: "torch.cuda.Stream | None"
    ) -> "tuple[PreparedBatch, torch.cuda.Event | None] | None":
        """The next batch with its inputs, and when these will have arrived; None where there is none."""
        batch = next(read, None)
        if batch is None:
            return None
        if stream is None:
            return replace(batch, inputs=self._stage(batch)), None
        with torch.cuda.stream(stream):
            batch = replace(batch, inputs=self._stage(batch))
        return batch, stream.record_event()


def _result(coming: "Future[Any]") -> Any:
    return coming.result()


def _hand_over(batch: PreparedBatch, ready: "torch.cuda.Event") -> None:
    """Let the model's stream wait for the inputs, whose memory is then no longer the staging stream's alone."""
    current = torch.cuda.current_stream()
    current.wait_event(ready)
    for inputs in batch.inputs.values():
        for tensor in inputs.values():
            if isinstance(tensor, torch.Tensor):
                tensor.record_stream(current)
