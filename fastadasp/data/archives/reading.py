"""From a member of an archive to a file that everything can read."""

import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock

from fastadasp.data.archives.kaldi_ark import Ark
from fastadasp.data.archives.member import ArchiveError, Member
from fastadasp.data.archives.packed import Archive, Tar, Zip
from fastadasp.data.archives.tables import Table
from fastadasp.files.named import is_file
from fastadasp.files.text import short

_lock = RLock()
"""Reads of one archive follow each other: its file has one position."""


@contextmanager
def at_hand(place: Path | Member) -> Iterator[Path]:
    """An ordinary file that holds a recording: the file itself, or a copy of a member's bytes while the block lasts.

    place: a file, or a member of an archive. Raises AudioError where the archive or the member cannot be read; errors
    about the recording name the member instead of its copy.
    """
    if isinstance(place, Path):
        yield place
        return
    from fastadasp.data.audio import AudioError

    try:
        content = read_member(place)
    except ArchiveError as error:
        raise AudioError(str(error)) from error
    with TemporaryDirectory(prefix="fastadasp-") as folder:
        copy = Path(folder, Path(place.name).name)
        copy.write_bytes(content)
        try:
            yield copy
        except AudioError as error:
            raise type(error)(str(error).replace(str(copy), str(place))) from error


def problem_of(member: Member) -> str | None:
    """Why a member cannot be read, or None; its bytes are not looked at, except in a Kaldi archive."""
    if not is_file(member.file):
        return f"no file {short(member.file)}"
    try:
        if member.file.suffix == ".ark":
            read_member(member)
        elif member.name.removeprefix("./") not in _known(*_version(member.file)):
            return f"{short(member.file)} holds no {short(member.name)}"
    except ArchiveError as error:
        return short(error, 300)
    return None


def names_in(file: Path) -> Iterator[str]:
    """The names of an archive's members, in their order. Raises ArchiveError."""
    with _readable(file):
        yield from list(_opened(*_version(file), os.getpid()).names())


def read_member(member: Member) -> bytes:
    """The bytes of a member: a recording, or a text beside it. Raises ArchiveError."""
    with _readable(member.file), _lock:
        try:
            return _opened(*_version(member.file), os.getpid()).read(member.name)
        except KeyError:
            raise ArchiveError(f"{short(member.file)} holds no {short(member.name)}") from None


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Errors of the libraries that open archives become ArchiveErrors that name the archive."""
    try:
        yield
    except ArchiveError:
        raise
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ArchiveError(
            f"{short(file)}: the archive cannot be read ({short(error) or type(error).__name__}); copy or download it "
            "again, and see that its ending says what it is"
        ) from error


def _version(file: Path) -> tuple[Path, int, int]:
    status = file.stat()
    return file, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=16)
def _known(file: Path, size: int, changed: int) -> frozenset[str]:
    return frozenset(names_in(file))


@lru_cache(maxsize=16)
def _opened(file: Path, size: int, changed: int, process: int) -> Archive:
    """The archive, opened once in a process: a forked one must not share the position of an open file."""
    with _lock:
        match file.name.lower():
            case name if name.endswith((".tar", ".tar.gz", ".tgz")):
                return Tar(file)
            case name if name.endswith(".zip"):
                return Zip(file)
            case name if name.endswith(".ark"):
                return Ark(file)
            case name if name.endswith((".parquet", ".arrow")):
                return Table(file)
    raise ArchiveError(f"{short(file)}: the ending of an archive must be one of .tar, .tar.gz, .tgz, .zip, .ark, ...")
