"""Archives of files: tar, tar.gz and ZIP."""

import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastadasp.data.archives.member import ArchiveError

INSTALL = "pip install 'fastadasp[corpora]'"


class Archive(ABC):
    """An archive that has been opened; one object serves all reads of a process."""

    @abstractmethod
    def names(self) -> Iterator[str]:
        """The names of all members, in their order within the archive."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises KeyError where there is none of that name, ArchiveError where it is damaged."""


class Tar(Archive):
    """A tar archive; only headers are read to find its members.

    An archive that is compressed with gzip is read through indexed_gzip, which jumps to any place of it: no copy is
    unpacked, and the first look at it decompresses it once.
    """

    def __init__(self, file: Path) -> None:
        self._file: Any = file.open("rb") if file.name.lower().endswith(".tar") else _gzip(file)
        with tarfile.open(fileobj=self._file, mode="r:") as archive:
            self._places = {
                plain(member.name): (member.offset_data, member.size)
                for member in archive
                if member.isreg() and not member.issparse()
            }
        self._path = file

    def names(self) -> Iterator[str]:
        """The names of all members, in their order within the archive."""
        yield from self._places

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises KeyError where there is none of that name, ArchiveError where it is damaged."""
        begin, size = self._places[plain(name)]
        self._file.seek(begin)
        content: bytes = self._file.read(size)
        if len(content) < size:
            raise ArchiveError(f"{self._path}: the archive is cut off within {name}; copy or download it again")
        return content


def _gzip(file: Path) -> Any:
    try:
        from indexed_gzip import IndexedGzipFile
    except ImportError as error:
        raise ArchiveError(
            f"{file}: a compressed tar archive is read through indexed_gzip; `{INSTALL}` brings it, or unpack the "
            f"compression once with `gunzip --keep {file.name}`"
        ) from error
    return IndexedGzipFile(str(file))


class Zip(Archive):
    """A ZIP archive, its members stored or deflated."""

    def __init__(self, file: Path) -> None:
        self._archive = zipfile.ZipFile(file)
        self._names = {plain(info.filename): info for info in self._archive.infolist() if not info.is_dir()}
        self._path = file

    def names(self) -> Iterator[str]:
        """The names of all members, in their order within the archive."""
        yield from self._names

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises KeyError where there is none of that name, ArchiveError where it is damaged."""
        info = self._names[plain(name)]
        if info.flag_bits & 1:
            raise ArchiveError(f"{self._path}: {name} is encrypted; unpack the archive with its password")
        return self._archive.read(info)


def plain(name: str) -> str:
    """The name of a member without the leading `./` that `tar -cf x.tar .` writes."""
    return name.removeprefix("./")
