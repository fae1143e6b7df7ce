"""The tallies of many predictions, counted in as many processes as there are cores."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from fastadasp.files.shelf import AT_ONCE, MOST_IN_MEMORY
from fastadasp.process.cores import usable_cores

P = TypeVar("P")
"""A prediction."""
Tally = tuple[float, ...]
Part = list[Sequence[P]]
"""Some clips, as each run has answered them."""
Counts = list[list[Tally]]


def tallied(tally: Callable[[P], Tally], *runs: Sequence[P]) -> Iterator[tuple[tuple[P, ...], tuple[Tally, ...]]]:
    """The predictions for one clip after the other, of each run, with their tallies.

    tally: of one prediction; something that can be pickled. runs: of the same clips in the same order.

    One walk through all of them; a few thousand are in memory at once. Bringing a transcript into its normal form takes
    longer than reading it from the disk, so that more predictions than are held in memory are shared out among the
    cores.
    """
    clips, workers = len(runs[0]), usable_cores()
    starts = range(0, clips, AT_ONCE)
    parts = ([predictions[start : start + AT_ONCE] for predictions in runs] for start in starts)
    counting = _here if clips <= MOST_IN_MEMORY or workers == 1 else _shared_out
    for part, tallies in counting(tally, parts, workers):
        yield from zip(zip(*part, strict=True), zip(*tallies, strict=True), strict=True)


def _here(tally: Callable[[P], Tally], parts: Iterable[Part[P]], _: int) -> Iterator[tuple[Part[P], Counts]]:
    for part in parts:
        yield part, _tallies(tally, part)


def _shared_out(
    tally: Callable[[P], Tally], parts: Iterable[Part[P]], workers: int
) -> Iterator[tuple[Part[P], Counts]]:
    from joblib.externals.loky import get_reusable_executor

    pool = get_reusable_executor(workers, timeout=60)
    waiting: deque[tuple[Part[P], Any]] = deque()
    for part in parts:
        waiting.append((part, pool.submit(_tallies, tally, part)))
        if len(waiting) > 2 * workers:
            first, counting = waiting.popleft()
            yield first, counting.result()
    for left, counting in waiting:
        yield left, counting.result()


def _tallies(tally: Callable[[P], Tally], part: Part[P]) -> Counts:
    """Of each run, for its part of the clips. References, which the runs share, stay in the normaliser's memory."""
    return [[tally(prediction) for prediction in predictions] for predictions in part]
