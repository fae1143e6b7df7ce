"""Tables as text (TSV, CSV), read row by row with their line numbers."""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from fastadasp.files.text import FileError, read_lines, short, shown

MAX_CELL = 2**24
"""Characters of the longest cell; the csv module's own limit of 131,072 is less than some transcripts have."""


def read_tsv(
    path: Path, needed: Collection[str] = (), *, escaped: bool = False, header: Collection[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated table and the line numbers on which they begin, cells by column name.

    Quotation marks are ordinary characters. escaped: a backslash makes the next character an ordinary one, as in files
    that pandas writes with `quoting=QUOTE_NONE, escapechar="\\\\"`. header: names of the columns of a file whose first
    line does not name them. Raises FileError for a file that lacks a column of `needed`, and for a row with more or
    fewer cells than columns.
    """
    escape = "\\" if escaped else None
    yield from _rows(path, needed, header, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar=escape)


def read_csv(
    path: Path, needed: Collection[str] = (), *, delimiter: str = ",", header: Collection[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table whose cells may stand in double quotes (RFC 4180); otherwise as `read_tsv`."""
    yield from _rows(path, needed, header, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL, strict=True)


def _rows(
    path: Path, needed: Collection[str], header: Collection[str] | None, **dialect: object
) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader((f"{line}\n" for _, line in read_lines(path)), **dialect)  # type: ignore[arg-type]
    names = None if header is None else list(header)
    began = 1
    try:
        for cells in reader:
            line, began = began, reader.line_num + 1
            if not any(cells):
                continue
            if names is None:
                names = _header(path, cells, needed)
            elif len(cells) != len(names):
                raise FileError(
                    f"{short(path)}, line {line}: {len(cells)} cells, but {len(names)} columns; it begins with "
                    f"{shown(cells[0])}"
                )
            else:
                yield line, dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise FileError(f"{short(path)}, line {reader.line_num}: cannot be read as a table ({short(error)})") from error
    if names is None:
        raise FileError(f"{short(path)}: the table is empty; its first line must name the columns")


def _header(path: Path, cells: list[str], needed: Collection[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    listed = short(", ".join(names))
    if twice := {name for name in names if names.count(name) > 1}:
        raise FileError(f"{short(path)}, line 1: column {shown(min(twice))} stands twice; the columns are {listed}")
    if lacking := [name for name in needed if name not in names]:
        raise FileError(f"{short(path)}, line 1: no column {', '.join(lacking)}; the columns are {listed}")
    return names
