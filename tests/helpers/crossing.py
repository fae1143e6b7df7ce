"""Which cases of a test that crosses several parameters are enough for a first look.

A test marked `crossed` runs for every combination of its parameters' values. `make test` takes as many of them as hold
every value of every parameter; the rest is marked `slow`, for `make test-slow`.
"""

from collections.abc import Hashable, Mapping, Sequence


def enough(cases: Sequence[Mapping[str, Hashable]]) -> list[int]:
    """Positions, in order, of cases that together hold each value of each parameter.

    cases: the values of one case by parameter. The case that adds most comes next, the first one among equals.
    """
    left = [set(case.items()) for case in cases]
    chosen: list[int] = []
    while any(left):
        best = max(range(len(left)), key=lambda position: len(left[position]))
        chosen.append(best)
        new = set(left[best])
        for held in left:
            held -= new
    return sorted(chosen)
