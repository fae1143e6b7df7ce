"""Which examples run together, and reading their audio ahead of the model."""

import time
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from fastadasp.data.audio import AudioError
from fastadasp.data.audio.decoders.ffmpeg import may_help
from fastadasp.models.base import Heard
from fastadasp.models.served.troubles import may_answer_now
from fastadasp.process.stopwatch import taken
from fastadasp.tasks.base import Example, Prediction

if TYPE_CHECKING:
    from fastadasp.evaluation.setup import Setup

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Examples that run together, and the place of the batch in the whole run."""

    index: int
    examples: tuple[Example, ...]


def finished(predictions: Iterable[Prediction]) -> set[str]:
    """Ids of predictions that stand; not those of audio for which the library that reads it is there by now, nor those
    that a server in trouble has not given.

    Of predictions with equal ids, the last one counts.
    """
    stand: set[str] = set()
    for prediction in predictions:
        if prediction.error is None or not (may_help(prediction.error) or may_answer_now(prediction.error)):
            stand.add(prediction.id)
        else:
            stand.discard(prediction.id)
    return stand


@dataclass(frozen=True)
class PreparedBatch:
    """A batch whose audio has been read: what the model adapter made of each example, or why it could not."""

    index: int
    ready: tuple[tuple[Example, Any], ...]
    failed: tuple[tuple[Example, str], ...]
    spent: Mapping[str, float] = field(default_factory=dict)
    """Seconds that went into it: `read_s` (decoding and resampling of audio), `features_s` (all else that the adapter
    made of it), and `wait_s` (the model had to wait for it)."""
    inputs: Mapping[tuple[str, ...], Any] = field(default_factory=dict)
    """What the model reads, by the ids of the examples that it reads together, where that was made ahead."""


class Plan(Sequence[Batch]):
    """The batches of a run that are left, each made when it is asked for; 9 bytes of memory for each example.

    Finished examples leave their batch but do not move others: a resumed run puts the same examples together as an
    unbroken one, hence gets the same numbers to the last bit.
    """

    def __init__(
        self, examples: Sequence[Example], order_N: Positions, starts_B: Positions, left_N: NDArray[np.bool_]
    ) -> None:
        """order_N: positions of the examples, batch after batch; starts_B: where each batch begins in it; left_N: which
        examples, in that order, have no answer yet."""
        self._examples, self._order_N, self._left_N = examples, order_N, left_N
        self._bounds = np.append(starts_B, len(order_N))
        self.total = len(starts_B)
        """Batches of the whole run, finished ones included."""
        counts_B = np.add.reduceat(left_N, starts_B, dtype=np.int64) if self.total else np.zeros(0, np.int64)
        self._indices = np.flatnonzero(counts_B)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, position: int) -> Batch: ...
    @overload
    def __getitem__(self, position: slice) -> list[Batch]: ...
    def __getitem__(self, position: int | slice) -> Batch | list[Batch]:
        if isinstance(position, slice):
            return [self[at] for at in range(*position.indices(len(self)))]
        index = int(self._indices[position])
        members = slice(self._bounds[index], self._bounds[index + 1])
        chosen = self._order_N[members][self._left_N[members]]
        return Batch(index, tuple(self._examples[int(at)] for at in chosen))

    def position_of(self, index: int) -> int | None:
        """Where the batch that is number `index` of the whole run stands among those left; None if it is finished."""
        position = int(np.searchsorted(self._indices, index))
        return position if position < len(self) and self._indices[position] == index else None


def plan(
    examples: Sequence[Example],
    batch_size: int,
    done: Collection[str] = (),
    tokens: int | None = None,
    expected: Callable[[Example], int] | None = None,
) -> Plan:
    """Batches of examples of like length, longest first so that a lack of memory shows at once.

    tokens: a batch takes as many examples as have at most so many prompt tokens, padding included, but at least one;
    None: `batch_size` each. expected: about how many tokens the prompt of an example has.
    """
    ids: list[str] = []
    seconds, sizes = array("d"), array("q")
    for example in examples:
        ids.append(example.id)
        seconds.append(example.seconds)
        if tokens is not None and expected is not None:
            sizes.append(expected(example))
    by_id_N = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
    order_N = by_id_N[np.argsort(-np.asarray(seconds)[by_id_N], kind="stable")]
    if tokens is None or expected is None:
        starts_B = np.arange(0, len(ids), batch_size)
    else:
        starts_B = _filled(np.asarray(sizes)[order_N].tolist(), tokens)
    left_N = np.fromiter((ids[at] not in done for at in order_N), dtype=bool, count=len(ids))
    return Plan(examples, order_N, starts_B, left_N)


def planned(setup: "Setup", done: Collection[str] = ()) -> Plan:
    """The batches of a run, as its hardware profile asks for them, without `done` examples."""
    hardware = setup.hardware
    return plan(setup.examples, hardware.batch_size, done, hardware.batch_tokens, setup.adapter.expected_tokens)


def _filled(sizes: Sequence[int], most: int) -> Positions:
    """Where batches begin that hold rows of `sizes`, in this order, padded to the longest of them, up to `most`."""
    starts, longest = [0] if sizes else [], 0
    for at, size in enumerate(sizes):
        longest = max(longest, size)
        if longest * (at + 1 - starts[-1]) > most and at > starts[-1]:
            starts.append(at)
            longest = size
    return np.array(starts, dtype=np.int64)


class PreparedBatches(Dataset[PreparedBatch]):
    """Reads the audio of whole batches, in data-loader workers. Unreadable audio is kept as a failure.

    prepare, heard: of the model adapter. An example leaves with the length that was read, whatever its manifest says.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        prepare: Callable[[Example], Any],
        heard: Callable[[Example], Heard | None] | None = None,
    ) -> None:
        self._batches = batches
        self._prepare = prepare
        self._heard = heard

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, position: int) -> PreparedBatch:
        batch = self._batches[position]
        ready, failed = [], []
        taken()
        began = time.perf_counter()
        for example in batch.examples:
            try:
                prepared = self._prepare(example)
            except AudioError as error:
                failed.append((example, str(error)))
                continue
            heard = None if self._heard is None else self._heard(example)
            known = example if heard is None else replace(example, seconds=heard.seconds, remarks=heard.remarks)
            ready.append((known, prepared))
        read_s = taken().get("read", 0.0)
        spent = {"read_s": read_s, "features_s": time.perf_counter() - began - read_s}
        return PreparedBatch(batch.index, tuple(ready), tuple(failed), spent)
