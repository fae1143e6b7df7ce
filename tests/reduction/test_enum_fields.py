"""Fields of a method that are one of a few words: the class says so once, in the annotation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from fastadasp.errors import ConfigError
from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import Schedule

Side = Enum("Side", ["left", "right"])


@dataclass(frozen=True)
class Sided(InputMethod):
    """A user's method with postponed annotations and no `__post_init__`."""

    side: Side = Side.left
    other: Side | None = None

    def assign(self, state: Any) -> Any:
        return state.keep_top(state.hidden_BTD.norm(dim=-1))


def test_names_become_members_in_a_class_of_ones_own() -> None:
    method = Sided(side="right", other="left", schedule="decay")  # type: ignore[arg-type]
    assert (method.side, method.other, method.schedule) == (Side.right, Side.left, Schedule.decay)
    assert Sided().other is None


@pytest.mark.parametrize("field", ["side", "other"])
def test_another_name_is_refused_with_the_key_and_the_choices(field: str) -> None:
    with pytest.raises(ConfigError, match=rf"merge\.{field} must be one of left, right; got 'up'"):
        Sided(**{field: "up"})
