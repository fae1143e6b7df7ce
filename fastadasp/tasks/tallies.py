"""The tallies of many predictions, counted in as many processes as there are cores."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fastadasp.files.shelf import AT_ONCE, MOST_IN_MEMORY
from fastadasp.process.cores import usable_cores

if TYPE_CHECKING:
    from fastadasp.tasks.base import Prediction, Task

Tally = tuple[float, ...]


def tallied(task: "Task", predictions: "Sequence[Prediction]") -> "Iterator[tuple[Prediction, Tally]]":
    """Each prediction, as it is scored, with its tally, in their order and in one walk through them.

    Bringing a transcript into its normal form takes longer than reading it from the disk, so that more predictions
    than are held in memory are shared out among the cores. A few thousand of them are in memory at once.
    """
    scored = task.gathered(predictions)
    workers = usable_cores()
    if len(scored) <= MOST_IN_MEMORY or workers == 1:
        return ((prediction, task.tally(prediction)) for prediction in scored)
    return _shared_out(task, scored, workers)


def _shared_out(
    task: "Task", predictions: "Sequence[Prediction]", workers: int
) -> "Iterator[tuple[Prediction, Tally]]":
    from joblib.externals.loky import get_reusable_executor

    pool = get_reusable_executor(workers, timeout=60)
    waiting: deque[tuple[Sequence[Prediction], object]] = deque()
    starts = iter(range(0, len(predictions), AT_ONCE))
    while True:
        while len(waiting) < 2 * workers and (start := next(starts, None)) is not None:
            some = predictions[start : start + AT_ONCE]
            waiting.append((some, pool.submit(_tallies, task, some)))
        if not waiting:
            return
        some, counting = waiting.popleft()
        yield from zip(some, counting.result(), strict=True)


def _tallies(task: "Task", predictions: "Sequence[Prediction]") -> list[Tally]:
    return [task.tally(prediction) for prediction in predictions]
