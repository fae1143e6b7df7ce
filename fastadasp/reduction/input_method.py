"""The base class of methods that act before the decoder."""

from dataclasses import dataclass
from typing import ClassVar

from fastadasp.reduction.method import MergeMethod, Site


@dataclass(frozen=True)
class InputMethod(MergeMethod):
    """Reduces audio tokens between projector and decoder: every layer, its cache included, sees fewer.

    `ratio` (or `layer_ratio`, here the same) is the share removed; `layer` and `schedule` mean nothing. `assign` gets
    an InputState.
    """

    site: ClassVar[Site] = Site.input


def removed_tokens(audio: int, ratio: float) -> int:
    """Of `audio` tokens, how many a method that acts before the decoder removes."""
    return int(audio * ratio)
