"""Kaldi archives of recordings, as wav-copy, ESPnet and kaldiio write them: keys, each before a whole audio file."""

from collections.abc import Iterator
from pathlib import Path

from fastadasp.data.archives.member import ArchiveError
from fastadasp.data.archives.packed import Archive

_LONGEST = 2**32
"""Bytes of the largest recording that is believed."""


class Ark(Archive):
    """A Kaldi archive; a recording is named by the byte at which it begins, as `wav.scp` names it.

    Two forms are read. Kaldi's own programs put a RIFF (WAV) file behind the key, whose header says how long it is;
    kaldiio and ESPnet 2 put `AUDIO`, one byte that says how many bytes a length has, the length, and an audio file of
    any format. Matrices of features hold no audio and are refused; nothing is unpickled.
    """

    def __init__(self, file: Path) -> None:
        self._path = file
        self._size = file.stat().st_size

    def names(self) -> Iterator[str]:
        """The bytes at which the recordings begin, in their order within the archive."""
        position = 0
        with self._path.open("rb") as file:
            while position < self._size:
                file.seek(position)
                key, space, _ = file.read(4096).partition(b" ")
                if not space:
                    raise ArchiveError(f"{self._path}: no key of an utterance stands at byte {position}")
                begin, length = self._extent(position + len(key) + 1)
                yield str(position + len(key) + 1)
                position = begin + length

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises KeyError where there is none of that name, ArchiveError where it is damaged."""
        if not name.isdecimal() or int(name) >= self._size:
            raise KeyError(name)
        begin, length = self._extent(int(name))
        with self._path.open("rb") as file:
            file.seek(begin)
            content = file.read(length)
        if len(content) < length:
            raise ArchiveError(f"{self._path}: the archive is cut off within the recording at byte {name}")
        return content

    def _extent(self, offset: int) -> tuple[int, int]:
        """Where the audio file at `offset` begins, and how many bytes it has."""
        with self._path.open("rb") as file:
            file.seek(offset)
            head = file.read(16)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            return offset, int.from_bytes(head[4:8], "little") + 8
        if head[:5] == b"AUDIO" and 1 <= head[5] <= 8:
            length = int.from_bytes(head[6 : 6 + head[5]], "little")
            if 0 < length < _LONGEST:
                return offset + 6 + head[5], length
        what = "a matrix of features" if head[:2] == b"\0B" else "no recording"
        raise ArchiveError(
            f"{self._path}: {what} stands at byte {offset}; only recordings (WAV, or audio written by kaldiio) are read"
        )
