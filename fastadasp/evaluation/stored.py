"""Stored predictions, read from the files of a run when they are asked for, however many there are."""

import codecs
import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO

from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.records import record
from fastadasp.files.shelf import MOST_IN_MEMORY, Lazy, kept
from fastadasp.files.text import FileError, read_lines, short
from fastadasp.tasks.base import Prediction

_REMEDY = "delete the line, and the run's own command answers its example again"
_FIELDS = tuple(field.name for field in fields(Prediction))


class Stored(Lazy[Prediction]):
    """Lines of a file of predictions, each parsed when it is asked for.

    It holds 8 bytes of memory for each. The file must not change meanwhile.
    """

    def __init__(self, file: Path, ends: Sequence[int]) -> None:
        """ends: where each line ends, in bytes from the beginning; before the first line stands 0."""
        self._path, self._ends = file, ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    def fetch(self, positions: Sequence[int]) -> list[Prediction]:
        """The items at `positions`, all of which lie in the sequence."""
        found = []
        with self._path.open("rb") as file:
            for at in positions:
                file.seek(self._ends[at])  # of a file that is read on, this keeps what is buffered
                found.append(prediction_of(file.read(self._ends[at + 1] - self._ends[at]), self._path, at + 1))
        return found


def line_of(prediction: Prediction) -> str:
    """A prediction as its line."""
    return json.dumps({name: getattr(prediction, name) for name in _FIELDS}, ensure_ascii=False) + "\n"


def prediction_of(line: bytes | str, file: Path, number: int) -> Prediction:
    """The prediction in line `number` of `file`. Raises FileError."""
    try:
        return record(Prediction, parse(line if isinstance(line, str) else line.decode()))
    except UnicodeDecodeError as error:
        maybe = ", which may be UTF-16" if b"\0" in error.object else ""
        raise FileError(f"{short(file)}, line {number}: not UTF-8 text{maybe} ({error.reason}); {_REMEDY}") from error
    except JsonError as error:
        raise FileError(f"{short(file)}, line {number} is not a prediction: {error}; {_REMEDY}") from error


def predictions_in(file: Path) -> Iterator[Prediction]:
    """All predictions of a file, without a last line that has no end; none where there is no such file."""
    try:
        for number, line in read_lines(file, complete=True, remedy=_REMEDY):
            if line.strip():
                yield prediction_of(line, file, number)
    except FileError:
        if file.exists():
            raise  # else there never was one, or it has been gathered into another file meanwhile


class Gathered:
    """The lines of several files of one run, by the ids of their predictions; of an id, the last line counts.

    It holds about 150 bytes of memory for each. Every line is checked once.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self.files = [file for file in files if file.exists()]
        self._row: dict[str, int] = {}
        self._file, self._start, self._length = array("H"), array("Q"), array("L")
        for number, file in enumerate(self.files):
            for id, start, length in _lines(file):
                self._row[id] = len(self._start)
                self._file.append(number)
                self._start.append(start)
                self._length.append(length)

    def __contains__(self, id: str) -> bool:
        return id in self._row

    def __len__(self) -> int:
        return len(self._row)

    @property
    def ids(self) -> Sequence[str]:
        """In the order in which their first lines stand."""
        return list(self._row)

    def in_order(self, ids: Iterable[str]) -> bool:
        """Whether there is one file, which holds the lines of `ids` and nothing else, in this very order."""
        end = 0
        for position, id in enumerate(ids):
            row = self._row[id]
            if row != position or self._start[row] != end:
                return False
            end += self._length[row] + 1
        return len(self.files) == 1 and len(self._row) == len(self._start) and self.files[0].stat().st_size == end

    def write(self, ids: Iterable[str], target: BinaryIO) -> None:
        """Copy the lines of `ids`, in this order."""
        opened = [file.open("rb") for file in self.files]
        try:
            for id in ids:
                row = self._row[id]
                file = opened[self._file[row]]
                file.seek(self._start[row])
                target.write(file.read(self._length[row]) + b"\n")
        finally:
            for file in opened:
                file.close()

    def predictions(self, ids: Iterable[str]) -> Sequence[Prediction]:
        """The predictions of `ids`, in this order."""
        return kept(self._read(ids))

    def _read(self, ids: Iterable[str]) -> Iterator[Prediction]:
        for id in ids:
            row = self._row[id]
            path = self.files[self._file[row]]
            with path.open("rb") as file:
                file.seek(self._start[row])
                yield prediction_of(file.read(self._length[row]), path, row + 1)


def _lines(file: Path) -> Iterator[tuple[str, int, int]]:
    """Of each whole line that is not blank: the id of its prediction, where its text begins, and the text's length.

    A byte order mark and the line's end are no part of the text.
    """
    start = 0
    with file.open("rb") as content:
        for number, line in enumerate(content, start=1):
            if not line.endswith(b"\n"):
                return
            text = line.removeprefix(codecs.BOM_UTF8)
            before, text = len(line) - len(text), text.rstrip(b"\r\n")
            if text.strip():
                yield prediction_of(text, file, number).id, start + before, len(text)
            start += len(line)


def stored(file: Path) -> Sequence[Prediction]:
    """The predictions of a file that holds whole lines of them and nothing else."""
    ends = array("Q", [0])
    with file.open("rb") as content:
        for line in content:
            ends.append(ends[-1] + len(line))
    found = Stored(file, ends)
    return found if len(found) > MOST_IN_MEMORY else list(found)
