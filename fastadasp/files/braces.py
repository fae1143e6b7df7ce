"""Names that stand for several: `shard-{000..127}.tar`, as WebDataset, NeMo and shells write them."""

import re
from collections.abc import Iterator

_BRACES = re.compile(r"\{(?P<inside>[^{}]*)\}|_OP_(?P<op>.*?)_CL_")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
MOST = 100_000
"""Names that one pattern may stand for."""


def expanded(pattern: str) -> Iterator[str]:
    """All names that a pattern stands for, in order; the pattern itself where it has no braces.

    `{08..10}` counts with as many digits as its first number has, and `{a,b}` lists names. `_OP_0..7_CL_` is NeMo's way
    to write `{0..7}`. Raises ValueError for a range that is longer than MOST.
    """
    match = _BRACES.search(pattern)
    if match is None:
        yield pattern
        return
    inside = match["inside"] if match["op"] is None else match["op"]
    before, after = pattern[: match.start()], pattern[match.end() :]
    counted = _RANGE.fullmatch(inside)
    if counted is None:
        middle: list[str] = inside.split(",")
    else:
        first, last = int(counted[1]), int(counted[2])
        if last - first >= MOST:
            raise ValueError(f"{pattern} stands for more than {MOST:,} names")
        middle = [f"{number:0{len(counted[1])}}" for number in range(first, last + 1)]
    for one in middle:
        for rest in expanded(after):
            yield f"{before}{one}{rest}"
