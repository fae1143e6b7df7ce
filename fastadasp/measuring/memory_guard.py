"""Telling a lack of memory from other errors, and going on after it."""

import gc
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

T = TypeVar("T")

_SAYS_SO = re.compile(
    r"out of memory|not enough memory|can't allocate memory|cudaErrorMemoryAllocation|"
    r"CU(BLAS|DNN|SOLVER|SPARSE)\w*_STATUS_(INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED|ALLOC_FAILED|NOT_INITIALIZED)",
    re.IGNORECASE,
)
"""NOT_INITIALIZED: cuBLAS finds no room for its workspace."""


def none_if_out_of_memory(work: Callable[[], T]) -> T | None:
    """What `work` gives; None if memory ran out, after handing all that is not in use back to the device."""
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
    gc.collect()  # outside the handler, whose traceback would keep the tensors alive
    torch.cuda.empty_cache()
    return None


def ran_out(error: BaseException) -> bool:
    """Whether memory ran out, at first or while that was being dealt with (a CUDA graph that could not be recorded)."""
    return any(
        isinstance(link, torch.OutOfMemoryError | MemoryError)
        or (isinstance(link, RuntimeError) and _SAYS_SO.search(str(link)))
        for link in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
