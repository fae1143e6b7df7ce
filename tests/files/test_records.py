"""From JSON to a dataclass: every type is checked, and what fits stays as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from fastadasp.files.json_text import JsonError
from fastadasp.files.records import record


@dataclass(frozen=True)
class Inner:
    x: int


@dataclass(frozen=True)
class Outer:
    name: str
    count: int = 0
    share: float = 0.0
    flag: bool = False
    note: str | None = None
    numbers: tuple[int, ...] = ()
    nested: list[list[float]] = field(default_factory=list)
    costs: Mapping[str, float] = field(default_factory=dict)
    any: Mapping[str, object] = field(default_factory=dict)
    inner: Inner | None = None


GOOD: dict[str, Any] = {
    "name": "a", "count": 3, "share": 1, "flag": True, "note": None, "numbers": [1, 2], "nested": [[0.5, 1], []],
    "costs": {"a": 1, "b": 0.5}, "any": {"a": [None, {}]}, "inner": {"x": 7},
}  # fmt: skip


def test_what_fits_is_taken_as_it_is() -> None:
    found = record(Outer, GOOD)
    assert found == Outer(**{**GOOD, "numbers": (1, 2), "inner": Inner(7)})
    assert type(found.share) is int and type(found.costs["a"]) is int, "written again, a file stays the same"
    assert record(Outer, {"name": "a"}) == Outer("a")
    assert record(Outer, {**GOOD, "more": 1, "inner": {"x": 7, "y": 8}}, others=True) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "field 'name' must be a text, got 1"),
        ({"count": True}, "field 'count' must be a whole number, got True"),
        ({"count": 1.0}, "field 'count' must be a whole number, got 1.0"),
        ({"share": "x"}, "field 'share' must be a number, got 'x'"),
        ({"share": True}, "field 'share' must be a number, got True"),
        ({"flag": 1}, "field 'flag' must be true or false, got 1"),
        ({"note": 3}, "field 'note' must be a text, got 3"),
        ({"numbers": [1, "x"]}, r"field 'numbers\[1\]' must be a whole number, got 'x'"),
        ({"numbers": [True]}, r"field 'numbers\[0\]' must be a whole number, got True"),
        ({"numbers": {"a": 1}}, "field 'numbers' must be a list"),
        ({"nested": [[1], 2]}, r"field 'nested\[1\]' must be a list, got 2"),
        ({"costs": [1]}, r"field 'costs' must be an object, got \[1\]"),
        ({"costs": {"a": None}}, r"field 'costs\.a' must be a number, got None"),
        ({"any": []}, r"field 'any' must be an object, got \[\]"),
        ({"inner": {"x": "y"}}, "in inner: field 'x' must be a whole number, got 'y'"),
        ({"inner": []}, r"in inner: must be an object, as in \{\.\.\.\}, got \[\]"),
        ({"more": 1}, "unknown field 'more'; known are name, count, share"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(JsonError, match=message):
        record(Outer, {**GOOD, **change})


def test_a_field_without_a_default_must_be_there() -> None:
    with pytest.raises(JsonError, match="field 'name' is missing"):
        record(Outer, {})
