"""Which examples run together, and reading their audio ahead of the model."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch.utils.data import Dataset

from fastadasp.data.audio import AudioError
from fastadasp.data.audio.decoders.ffmpeg import may_help
from fastadasp.models.base import Heard
from fastadasp.tasks.base import Example, Prediction


@dataclass(frozen=True)
class Batch:
    """Examples that run together, and the place of the batch in the whole run."""

    index: int
    examples: tuple[Example, ...]


def finished(predictions: Mapping[str, Prediction]) -> set[str]:
    """Ids of predictions that stand; not those of audio for which the library that reads it is there by now."""
    return {id for id, found in predictions.items() if found.error is None or not may_help(found.error)}


@dataclass(frozen=True)
class PreparedBatch:
    """A batch whose audio has been read: what the model adapter made of each example, or why it could not."""

    index: int
    ready: tuple[tuple[Example, Any], ...]
    failed: tuple[tuple[Example, str], ...]


def plan(examples: Sequence[Example], batch_size: int, done: Collection[str] = ()) -> list[Batch]:
    """Batches of examples of like length, longest first so that a lack of memory shows at once.

    Finished examples leave their batch but do not move others: a resumed run puts the same examples together as an
    unbroken one, hence gets the same numbers to the last bit.
    """
    by_length = sorted(examples, key=lambda example: (-example.seconds, example.id))
    groups = [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
    left = (tuple(example for example in group if example.id not in done) for group in groups)
    return [Batch(index, group) for index, group in enumerate(left) if group]


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
        for example in batch.examples:
            try:
                prepared = self._prepare(example)
            except AudioError as error:
                failed.append((example, str(error)))
                continue
            heard = None if self._heard is None else self._heard(example)
            known = example if heard is None else replace(example, seconds=heard.seconds, remarks=heard.remarks)
            ready.append((known, prepared))
        return PreparedBatch(batch.index, tuple(ready), tuple(failed))
