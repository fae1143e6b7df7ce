"""How long this process has spent on what, summed under names: for reports on where the time of a run goes."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_seconds: Counter[str] = Counter()


@contextmanager
def spent_on(name: str) -> Iterator[None]:
    """Add the time that the block takes to what was spent on `name`."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _seconds[name] += time.perf_counter() - began  # type: ignore[assignment]  # counters may count in seconds


def taken() -> Mapping[str, float]:
    """Seconds by name since the last call."""
    found = dict(_seconds)
    _seconds.clear()
    return found
