"""The cases that `make test` takes of a test of many combinations hold every value, and no more than must be."""

from itertools import product

import pytest

from tests.helpers.crossing import enough


@pytest.mark.parametrize("sizes", [(2, 3), (4, 4), (2, 2, 3), (3, 3, 3, 2), (5,)], ids=str)
def test_every_value_is_among_the_chosen_cases(sizes: tuple[int, ...]) -> None:
    cases = [dict(zip("abcd", values, strict=False)) for values in product(*map(range, sizes))]
    chosen = [cases[position] for position in enough(cases)]
    for name, size in zip("abcd", sizes, strict=False):
        assert {case[name] for case in chosen} == set(range(size))
    assert len(chosen) == max(sizes)


def test_combinations_that_do_not_exist_are_done_without() -> None:
    assert enough([{"a": 0, "b": 0}, {"a": 1, "b": 0}, {"a": 1, "b": 1}]) == [0, 2]
