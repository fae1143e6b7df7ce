"""What all decoders share."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""(N, C) consecutive samples of all channels; full scale is -1 to 1."""

BLOCK_FRAMES = 1 << 16
"""Samples per channel that are decoded at once; bounds the memory that reading takes."""


@dataclass(frozen=True)
class Decoding:
    """A file that is being decoded: its samples are yet to come."""

    rate: int
    """Hz."""
    channels: int
    blocks: Iterator[Block]
    """At most BLOCK_FRAMES samples each. Raises AudioError where the content cannot be decoded."""
    frames: int | None = None
    """Samples per channel of the whole file, as far as the decoder knows beforehand."""
    position: int = 0
    """Which of them the first block begins with."""
