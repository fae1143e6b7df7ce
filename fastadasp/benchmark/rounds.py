"""Fair turns: each contender once a round, as often as asked, with everything warm."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from fastadasp.measuring.memory_guard import none_if_out_of_memory

K = TypeVar("K")
T = TypeVar("T")


def rounds(
    work: Callable[[K, bool], T], contenders: Sequence[K], repeats: int, after_each: Callable[[], object] = lambda: None
) -> list[list[T]]:
    """What `work(contender, warming_up)` gave in `repeats` rounds, for each contender; nothing where memory runs out.

    A round is for warming up until one has passed in which memory ran out for nobody: what was handed back to the
    device then has to be asked for anew, which must not be timed.
    """
    fitting, warm = list(range(len(contenders))), False
    kept: list[list[T]] = [[] for _ in contenders]
    done = 0
    while fitting and done < repeats:
        given = {index: none_if_out_of_memory(partial(work, contenders[index], not warm)) for index in fitting}
        found = {index: result for index, result in given.items() if result is not None}
        for index in given.keys() - found.keys():
            kept[index].clear()
        if warm and len(found) == len(fitting):
            for index, result in found.items():
                kept[index].append(result)
            done += 1
        warm, fitting = len(found) == len(fitting), list(found)
        after_each()
    return kept
