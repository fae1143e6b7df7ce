"""Who may look on while a `merging()` block works: a clock, for example."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch


class Watch(Protocol):
    """Looks on while methods decide and tokens move; what it does must not change a tensor."""

    def reducing(self, device: torch.device) -> AbstractContextManager[None]:
        """A context that the engine enters before it asks a method and leaves once the tokens have moved.

        device: of the layer, since layers may be spread over several devices.
        """


class Unwatched:
    """Nobody looks on."""

    def reducing(self, device: torch.device) -> AbstractContextManager[None]:
        """A context that does nothing."""
        return nullcontext()
