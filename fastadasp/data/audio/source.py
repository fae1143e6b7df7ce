"""The bytes of an audio file: random access for those who inspect the file, and a mended view for libsndfile."""

import io
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_WINDOW = 1 << 16
"""Bytes that are read at once while a file's structure is walked through."""


class Source:
    """A part of a file, from byte `start` to `stop`; offsets count from `start`. Use as a context manager."""

    def __init__(self, path: Path, start: int = 0, stop: int | None = None) -> None:
        self.path = path
        self.start = start
        size = path.stat().st_size
        self.stop = size if stop is None else min(stop, size)
        self.size = max(0, self.stop - start)
        self._file: BinaryIO = path.open("rb")
        self._window = b""
        self._window_start = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def at(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on; fewer at the end, none beyond either end."""
        if offset < 0 or length <= 0 or offset >= self.size:
            return b""
        length = min(length, self.size - offset)
        inside = offset - self._window_start
        if not 0 <= inside <= len(self._window) - length:
            self._file.seek(self.start + offset)
            self._window = self._file.read(min(max(length, _WINDOW), self.size - offset))
            self._window_start, inside = offset, 0
        return self._window[inside : inside + length]

    def number(self, offset: int, length: int, order: str = "little") -> int:
        """The unsigned integer of `length` bytes at `offset`; 0 beyond the end."""
        return int.from_bytes(self.at(offset, length), "big" if order == "big" else "little")

    def zeros(self, offset: int, stop: int) -> int:
        """How many bytes from `offset` on, up to `stop`, are zero."""
        begin = offset
        while offset < stop and (block := self.at(offset, min(_WINDOW, stop - offset))):
            kept = len(block) - len(block.lstrip(b"\0"))
            offset += kept
            if kept < len(block):
                break
        return offset - begin

    def zeros_before(self, stop: int) -> int:
        """How many bytes before `stop` are zero."""
        end = stop
        while end > 0 and (block := self.at(max(0, end - _WINDOW), min(_WINDOW, end))):
            kept = len(block) - len(block.rstrip(b"\0"))
            end -= kept
            if kept < len(block):
                break
        return stop - end


class MendedFile(io.RawIOBase):
    """A read-only file made of `prefix` and the bytes `start` to `stop` of a file, in which `patches` replace bytes.

    patches: absolute offset in the file, and what stands there instead. Positions count from the prefix on. libsndfile
    calls the methods from C, where an exception would be lost: a position out of range is therefore moved to the ends.
    """

    def __init__(
        self, path: Path, prefix: bytes = b"", start: int = 0, stop: int | None = None,
        patches: Sequence[tuple[int, bytes]] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self._file = path.open("rb")
        size = path.stat().st_size
        self._prefix, self._start, self._patches = prefix, start, tuple(patches)
        self._size = len(prefix) + max(0, (size if stop is None else min(stop, size)) - start)
        self._position = 0

    def close(self) -> None:
        """Close the underlying file."""
        self._file.close()
        super().close()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position as `io.IOBase.seek` does, but never out of the file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = min(max(base + offset, 0), self._size)
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Fill `buffer` as far as the file goes; returns the bytes written."""
        data = self._bytes(min(len(buffer), self._size - self._position))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _bytes(self, length: int) -> bytes:
        head = self._prefix[self._position : self._position + length]
        if len(head) == length:
            return head
        begin = self._start + max(0, self._position - len(self._prefix))
        self._file.seek(begin)
        body = self._file.read(length - len(head))
        for offset, patch in self._patches:
            if offset < begin + len(body) and offset + len(patch) > begin:
                body = _patched(body, begin, offset, patch)
        return head + body


def _patched(body: bytes, begin: int, offset: int, patch: bytes) -> bytes:
    """`body`, which stands at `begin`, with the bytes of `patch`, which belongs at `offset`, where the two overlap."""
    first, last = max(offset, begin), min(offset + len(patch), begin + len(body))
    return body[: first - begin] + patch[first - offset : last - offset] + body[last - begin :]
