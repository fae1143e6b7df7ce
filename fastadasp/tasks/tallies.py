"""The tallies of many predictions, counted in as many processes as there are cores."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fastadasp.files.shelf import AT_ONCE, MOST_IN_MEMORY
from fastadasp.process.cores import usable_cores

if TYPE_CHECKING:
    from fastadasp.tasks.base import Prediction, Task

Tally = tuple[float, ...]


def tallied(
    task: "Task", *runs: "Sequence[Prediction]"
) -> "Iterator[tuple[tuple[Prediction, ...], tuple[Tally, ...]]]":
    """The predictions for one clip after the other, of each run, as they are scored, with their tallies.

    runs: of the same clips in the same order. One walk through all of them; a few thousand are in memory at once.
    Bringing a transcript into its normal form takes longer than reading it from the disk, so that more predictions
    than are held in memory are shared out among the cores.
    """
    scored = [task.gathered(predictions) for predictions in runs]
    clips, workers = len(scored[0]), usable_cores()
    starts = range(0, clips, AT_ONCE)
    parts = ([predictions[start : start + AT_ONCE] for predictions in scored] for start in starts)
    counting = _here if clips <= MOST_IN_MEMORY or workers == 1 else _shared_out
    for part, tallies in counting(task, parts, workers):
        yield from zip(zip(*part, strict=True), zip(*tallies, strict=True), strict=True)


Part = list["Sequence[Prediction]"]
"""Some clips, as each run has answered them."""
Counts = list[list[Tally]]


def _here(task: "Task", parts: Iterable[Part], _: int) -> Iterator[tuple[Part, Counts]]:
    for part in parts:
        yield part, _tallies(task, part)


def _shared_out(task: "Task", parts: Iterable[Part], workers: int) -> Iterator[tuple[Part, Counts]]:
    from joblib.externals.loky import get_reusable_executor

    pool = get_reusable_executor(workers, timeout=60)
    waiting: deque[tuple[Part, Any]] = deque()
    for part in parts:
        waiting.append((part, pool.submit(_tallies, task, part)))
        if len(waiting) > 2 * workers:
            first, counting = waiting.popleft()
            yield first, counting.result()
    for left, counting in waiting:
        yield left, counting.result()


def _tallies(task: "Task", part: Part) -> Counts:
    """Of each run, for its part of the clips. References, which the runs share, stay in the normaliser's memory."""
    return [[task.tally(prediction) for prediction in predictions] for predictions in part]
