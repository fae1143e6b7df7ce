"""Which part of a file is read, and how long that may be."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.audio.decoders.base import Block, Decoding
from fastadasp.data.audio.errors import AudioError

_BEYOND_S = 0.1
"""Seconds by which a stretch may end behind the file: lengths in tables are rounded, and codecs fill frames."""


@dataclass(frozen=True)
class Stretch:
    """From `start` on, `seconds` of a file, or all that follows where that is None."""

    path: Path
    start: float
    seconds: float | None
    most: float
    """Seconds that it may have."""

    def check(self, length: float | None) -> None:
        """Raise AudioError where a file of `length` seconds has no such stretch, or it is too long; None: not known."""
        if length is not None and (self.start or self.seconds is not None):
            end = self.start + (self.seconds or 0.0)
            if self.start >= length or end > length + _BEYOND_S:
                until = "the end" if self.seconds is None else f"{end:g} s"
                raise AudioError(
                    f"{self.path}: the stretch from {self.start:g} s to {until} is asked for, but the file ends at "
                    f"{length:.2f} s"
                )
        if self.seconds is not None:
            self.check_length(self.seconds)
        elif length is not None:
            self.check_length(length - self.start)

    def check_length(self, seconds: float) -> None:
        """Raise AudioError where `seconds` are too long."""
        if seconds > self.most:
            raise AudioError(
                f"{self.path}: {seconds:.1f} s is over the limit of {self.most:g} s for one prompt; "
                "raise model.max_seconds if model and memory can take it, cut the file, or, for recognition and "
                "translation, set task.window_seconds=30, which cuts and joins"
            )

    def of(self, decoding: Decoding) -> Iterator[Block]:
        """The stretch's samples; reads no further than it must. AudioError where the file ends long before."""
        first, position = round(self.start * decoding.rate), decoding.position
        last = None if self.seconds is None else first + round(self.seconds * decoding.rate)
        for block_NC in decoding.blocks:
            begin = max(0, first - position)
            end = len(block_NC) if last is None else max(0, last - position)
            position += len(block_NC)
            if len(part_NC := block_NC[begin:end]):
                yield part_NC
            if last is not None and position >= last:
                return
        self.check(position / decoding.rate)
