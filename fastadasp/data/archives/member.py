"""What a recording inside an archive is called; known before numpy or torch is imported."""

from dataclasses import dataclass
from pathlib import Path

from fastadasp.errors import InputError

KINDS = (".tar", ".tar.gz", ".tgz", ".zip", ".ark", ".parquet", ".arrow")
"""Endings of the files whose members can be read."""


class ArchiveError(InputError):
    """An archive, or a recording inside it, that cannot be read; the message names both and says what helps."""


@dataclass(frozen=True)
class Member:
    """A recording inside an archive or a table."""

    file: Path
    """The archive; its ending is one of KINDS."""
    name: str
    """Path within a tar or ZIP archive (`a/b.wav`); byte at which a recording begins within a Kaldi archive (`1234`);
    column and row, counted from 0, of a Parquet or Arrow table (`audio/17`)."""

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


def is_archive(file: Path) -> bool:
    """Whether a file has the ending of an archive or table whose members can be read."""
    return file.name.lower().endswith(KINDS)
