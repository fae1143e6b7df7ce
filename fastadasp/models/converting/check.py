"""Comparing the tensors of a checkpoint with those that a model must have, and saying briefly all that differs."""

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby

from fastadasp.models.converting.source import Source

Shape = tuple[int, ...]


def problems(source: Source, expected: Mapping[str, Shape], unused: Mapping[str, Shape] | None = None) -> list[str]:
    """All that is wrong with the keys and shapes of `source`, in words; empty if nothing is.

    expected: shape of every tensor that the model needs.
    unused: shapes of tensors that the checkpoint may hold beside them, and that the conversion leaves out.
    """
    unused = unused or {}
    found = source.tensors
    known = {**unused, **expected}
    wrong = [
        f"{key} is {_times(found[key].shape)}, expected {_times(shape)}"
        for key, shape in known.items()
        if key in found and found[key].shape != tuple(shape)
    ]
    listed = [
        ("missing", [key for key in expected if key not in found]),
        ("unknown", [key for key in found if key not in known]),
    ]
    lines = [f"{len(keys)} {what}: {', '.join(compact(keys))}" for what, keys in listed if keys]
    return [*lines, *([f"{len(wrong)} of another shape: {'; '.join(wrong)}"] if wrong else [])]


def compact(keys: Collection[str]) -> Iterator[str]:
    """`keys` with those that differ in their numbers alone told as one, if they fill a whole block of numbers.

    >>> list(compact(["h.0.w", "h.1.w", "h.2.w", "out"]))
    ['h.{0-2}.w', 'out']
    """

    def template(key: str) -> str:
        return re.sub(r"\d+", "\0", key)

    for pattern, group in groupby(sorted(keys, key=template), key=template):
        alike = sorted(group)
        numbers = sorted({tuple(map(int, re.findall(r"\d+", key))) for key in alike})
        columns = [sorted(set(column)) for column in zip(*numbers, strict=True)]
        block = 1
        for column in columns:
            block *= len(column)
        if len(alike) == 1 or block != len(alike):
            yield from alike
            continue
        ranges = iter([_range(column) for column in columns])
        yield re.sub("\0", lambda _, ranges=ranges: next(ranges), pattern)  # type: ignore[misc]


def _range(numbers: list[int]) -> str:
    """`3` for one number, `{0-31}` for a run, `{0,2}` otherwise."""
    if len(numbers) == 1:
        return str(numbers[0])
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{{{numbers[0]}-{numbers[-1]}}}"
    return f"{{{','.join(map(str, numbers))}}}"


def _times(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "a single number"
