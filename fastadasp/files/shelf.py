"""Sequences that may be long: held in memory while they are short, else in a temporary file, item by item."""

import os
import pickle
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
S = TypeVar("S")

MOST_IN_MEMORY = 20_000
"""Items up to which a sequence stays in memory."""
AT_ONCE = 1024
"""Items that are read together while a long sequence is walked through."""


def kept(items: Iterable[T]) -> Sequence[T]:
    """All of `items`: a list of up to MOST_IN_MEMORY, else a `Shelf`, which takes 8 bytes of memory for each."""
    left = iter(items)
    first = list(islice(left, MOST_IN_MEMORY + 1))
    return first if len(first) <= MOST_IN_MEMORY else Shelf(chain(first, left))


def mapped(items: Sequence[S], make: Callable[[S], T]) -> Sequence[T]:
    """`make` of each item: a list where `items` is one, else made whenever an item is asked for.

    make: must always give the same, and be something that can be pickled (no lambda).
    """
    return [make(item) for item in items] if isinstance(items, list | tuple) else Mapped(items, make)


class Lazy(Sequence[T]):
    """A sequence whose items are fetched when they are asked for, many at once where it is walked through."""

    def fetch(self, positions: Sequence[int]) -> list[T]:
        """The items at `positions`, all of which lie in the sequence."""
        raise TypeError(f"{type(self).__name__} does not say how its items are fetched")

    @overload
    def __getitem__(self, position: int) -> T: ...
    @overload
    def __getitem__(self, position: slice) -> list[T]: ...
    def __getitem__(self, position: int | slice) -> T | list[T]:
        if isinstance(position, slice):
            return self.fetch(range(*position.indices(len(self))))
        if not -len(self) <= position < len(self):
            raise IndexError(f"position {position} of a sequence of {len(self)}")
        return self.fetch([position % len(self)])[0]

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self), AT_ONCE):
            yield from self.fetch(range(start, min(start + AT_ONCE, len(self))))


class Mapped(Lazy[T], Generic[S, T]):
    """What a function makes of the items of another sequence."""

    def __init__(self, items: Sequence[S], make: Callable[[S], T]) -> None:
        self._items, self._make = items, make

    def __len__(self) -> int:
        return len(self._items)

    def fetch(self, positions: Sequence[int]) -> list[T]:
        """The items at `positions`, all of which lie in the sequence."""
        found = self._items.fetch(positions) if isinstance(self._items, Lazy) else [self._items[at] for at in positions]
        return [self._make(item) for item in found]


class Shelf(Lazy[T]):
    """Items in a temporary file, which goes with the object, or with the process that made it.

    Copies in other processes (data workers, forked or spawned) read the same file as long as that process lives.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._ends = array("Q", [0])
        with tempfile.NamedTemporaryFile(prefix="fastadasp-", delete=False) as file:
            self._path = Path(file.name)
            for item in items:
                written = file.write(pickle.dumps(item, protocol=5))
                self._ends.append(self._ends[-1] + written)
        self._file = self._path.open("rb")
        of_process = Path(f"/proc/{os.getpid()}/fd/{self._file.fileno()}")
        if of_process.exists():  # Linux: without a name, the file is gone even if the process is killed
            self._path.unlink()
            self._path = of_process
        else:
            weakref.finalize(self, _remove, self._path)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getstate__(self) -> dict[str, Any]:
        return {"_ends": self._ends, "_path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_file": state["_path"].open("rb")}

    def fetch(self, positions: Sequence[int]) -> list[T]:
        """The items at `positions`, all of which lie in the sequence."""
        number = self._file.fileno()
        if isinstance(positions, range) and positions and positions.step == 1:
            first, last = self._ends[positions[0]], self._ends[positions[-1] + 1]
            content = memoryview(os.pread(number, last - first, first))
            return [pickle.loads(content[self._ends[at] - first : self._ends[at + 1] - first]) for at in positions]
        return [pickle.loads(os.pread(number, self._ends[at + 1] - self._ends[at], self._ends[at])) for at in positions]


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
