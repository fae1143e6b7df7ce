"""The base class of methods that are composed of other methods."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from fastadasp.reduction.method import MergeMethod


@dataclass(frozen=True)
class Composite(MergeMethod):
    """A method that acts through its stages alone."""

    @abstractmethod
    def stages(self) -> tuple[MergeMethod, ...]:
        """The methods that act."""

    def assign(self, state: Any) -> Any:
        """Never asked: its stages are."""
        raise TypeError(f"{type(self).__name__} decides nothing itself; ask its stages()")
