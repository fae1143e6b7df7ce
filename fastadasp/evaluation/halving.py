"""Going on with fewer examples at a time where memory runs out."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from fastadasp.errors import InputError
from fastadasp.measuring.memory_guard import ran_out

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_halves(run: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """`run(items)`; where memory runs out, of each half by itself, and so on. InputError where one item is too much."""
    try:
        return run(items)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        if len(items) == 1:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"out of memory with a single prompt: {reason}. Use a smaller dtype, fewer beams, shorter audio, a "
                "method that removes more, or several GPUs (device_map='auto')"
            ) from error
    torch.cuda.empty_cache()  # outside the handler, whose traceback would keep the tensors alive
    half = len(items) // 2
    return in_halves(run, items[:half]) + in_halves(run, items[half:])
