"""What a token-reduction method is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from fastadasp.merge.assignment import Assignment
    from fastadasp.merge.state import LayerState

# Member names are what Hydra configs spell, hence lower case.
Schedule = Enum("Schedule", ["once", "constant", "decay"])
Positions = Enum("Positions", ["packed", "original"])
Site = Enum("Site", ["decoder", "input", "cache"])


@dataclass(frozen=True)
class MergeMethod(ABC):
    """A token-reduction method; its dataclass fields are the schema of `conf/merge/<name>.yaml`."""

    ratio: float = 0.0
    """Share of the audio tokens removed, averaged over the layers after `layer`; in [0, 1)."""
    layer_ratio: float | None = None
    """The released code's ratio instead: applied to what is left at every merging layer; excludes `ratio`."""
    layer: int = 2
    """First decoder layer that reduces (counted from 0); its MLP is the first to see fewer tokens."""
    schedule: Schedule = Schedule.once
    positions: Positions = Positions.packed
    seed: int = 0
    """For methods that draw at random; others ignore it."""

    site: ClassVar[Site] = Site.decoder

    @abstractmethod
    def assign(self, state: "LayerState", ratio: float) -> "Assignment":
        """Decide what happens to each token of `state`; moving tensors is the caller's work."""
