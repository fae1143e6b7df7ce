"""Parquet and Arrow tables of Hugging Face `datasets`, whose column of audio holds the bytes of whole files."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastadasp.data.archives.member import ArchiveError
from fastadasp.data.archives.packed import INSTALL, Archive

_GROUPS = 2
"""Row groups of a Parquet file that stay decoded: neighbouring rows lie in one group of some hundred recordings."""


class Table(Archive):
    """A table; a recording is named by its column and its row, such as `audio/17`.

    An Arrow file, as `Dataset.save_to_disk` writes it, is mapped into memory, and any row is read without its
    neighbours. Of a Parquet file, the row group around a row is decoded, of the one column that is asked for.
    """

    def __init__(self, file: Path) -> None:
        arrow(file)
        self._path = file
        self._whole: Any = mapped(file) if file.suffix == ".arrow" else None
        self._bounds = [] if self._whole is not None else list(_row_groups(file))
        self._group = lru_cache(maxsize=_GROUPS)(self._decoded)

    def names(self) -> Iterator[str]:
        """The column and row of each recording, for one column of audio after the other."""
        for column in audio_columns(schema_of(self._path)):
            yield from (f"{column}/{row}" for row in range(rows_of(self._path)))

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises KeyError where there is none of that name, ArchiveError where it is damaged."""
        column, _, number = name.rpartition("/")
        if not number.isdecimal():
            raise KeyError(name)
        cell = self._cell(column, int(number))
        content = cell if isinstance(cell, bytes) else (cell or {}).get("bytes")
        if not isinstance(content, bytes):
            raise ArchiveError(f"{self._path}: row {number} of the column {column} holds no bytes of a recording")
        return content

    def _cell(self, column: str, row: int) -> Any:
        if self._whole is not None:
            if row >= self._whole.num_rows or column not in self._whole.column_names:
                raise KeyError(f"{column}/{row}")
            return self._whole.column(column)[row].as_py()
        for group, (first, stop) in enumerate(self._bounds):
            if first <= row < stop and column in schema_of(self._path).names:
                return self._group(group, column)[row - first].as_py()
        raise KeyError(f"{column}/{row}")

    def _decoded(self, group: int, column: str) -> Any:
        from pyarrow.parquet import ParquetFile

        with ParquetFile(self._path) as file:
            return file.read_row_group(group, columns=[column]).column(column)


def arrow(file: Path) -> Any:
    """The module pyarrow; ArchiveError where the table `file` needs it and it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise ArchiveError(f"{file}: tables are read with Hugging Face datasets and pyarrow; `{INSTALL}`") from error
    return pyarrow


def mapped(file: Path) -> Any:
    """The pyarrow table of an Arrow file, in the form of a stream as `datasets` writes it, or of a file."""
    pa = arrow(file)
    source = pa.memory_map(str(file))
    try:
        return pa.ipc.open_stream(source).read_all()
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_file(source).read_all()


def schema_of(file: Path) -> Any:
    """The pyarrow schema of a table."""
    arrow(file)
    if file.suffix == ".arrow":
        return mapped(file).schema
    from pyarrow.parquet import read_schema

    return read_schema(file)


def rows_of(file: Path) -> int:
    """The number of rows of a table."""
    if file.suffix == ".arrow":
        return int(mapped(file).num_rows)
    return max((stop for _, stop in _row_groups(file)), default=0)


def audio_columns(schema: Any) -> list[str]:
    """The names of the columns that hold audio: objects of `bytes` and `path`, as the feature Audio stores them."""
    return [field.name for field in schema if {"bytes", "path"} <= {part.name for part in _parts(field.type)}]


def _parts(kind: Any) -> list[Any]:
    from pyarrow import types

    return [kind.field(index) for index in range(kind.num_fields)] if types.is_struct(kind) else []


def _row_groups(file: Path) -> Iterator[tuple[int, int]]:
    """The first row of each row group of a Parquet file, and the row behind its last."""
    from pyarrow.parquet import read_metadata

    metadata = read_metadata(file)
    first = 0
    for group in range(metadata.num_row_groups):
        stop = first + metadata.row_group(group).num_rows
        yield first, stop
        first = stop
