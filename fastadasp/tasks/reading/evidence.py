"""What a statement says about one option."""

from dataclasses import dataclass
from enum import IntEnum


class Weight(IntEnum):
    """How much a mention says about the answer."""

    open = 0
    """Nothing: asked, quoted, supposed, or said of something else."""
    faint = 1
    """A part of an option's words in an explanation."""
    weak = 2
    """It explains or describes; an answer only where there is no other."""
    plain = 3
    """A statement about the speech."""
    answer = 4
    """Given as the answer: "the answer is B", "B.", "B is correct"."""
    concluded = 5
    """Given as the conclusion: "so B"."""
    final = 6
    """Given as the final answer."""


@dataclass(frozen=True)
class Evidence:
    """One option, named once."""

    option: str
    positive: bool
    weight: Weight
    start: int
    """Its first token."""
    possible: bool = False
    """One of several that are possible: "maybe A", "A or B"."""
    minor: bool = False
    contrasted: bool = False
    """Whether it is set against what was said before: "A might be right, but B is better"."""
