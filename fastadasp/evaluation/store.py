"""The folder of one run: predictions as they come, resumable after a kill, and the results made from them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fastadasp.errors import InputError
from fastadasp.files.json_text import JsonError, parse, read_json
from fastadasp.files.records import record
from fastadasp.files.text import FileError, read_lines, short
from fastadasp.tasks.base import Prediction


class RunStore:
    """Predictions of one run, one JSON line each.

    Each process appends to a file of its own (`predictions.jsonl`, `predictions-1.jsonl`, ...), batch by batch;
    `consolidate` leaves one file in the order of the examples. A half-written last line, all that a kill can leave
    behind, is dropped.
    """

    def __init__(self, folder: Path, rank: int = 0) -> None:
        self.folder = folder
        self._file = folder / ("predictions.jsonl" if rank == 0 else f"predictions-{rank}.jsonl")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder; the lock ends with the process, also when it is killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"another process is running this very configuration in {self.folder}; wait for it, or change a setting"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def predictions(self) -> dict[str, Prediction]:
        """All finished predictions by id, of all processes."""
        # `predictions.jsonl` last: whatever `consolidate` takes away meanwhile is found there.
        return {prediction.id: prediction for file in reversed(self._files()) for prediction in _read(file)}

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Write predictions so that they survive a kill of this process from now on."""
        drop_torn_line(self._file)
        with self._file.open("a", encoding="utf-8") as file:
            file.write("".join(map(_line, predictions)))  # one write, so that a kill hardly ever splits a batch

    def consolidate(self, ids: Sequence[str]) -> list[Prediction]:
        """Gather every process's lines in `predictions.jsonl`, in the order of `ids`; returns them.

        Raises RuntimeError if some id has no prediction.
        """
        found = self.predictions()
        if missing := [id for id in ids if id not in found]:
            raise RuntimeError(f"{len(missing)} of {len(ids)} examples have no prediction, first {missing[0]}")
        ordered = [found[id] for id in ids]
        _replace(self.folder / "predictions.jsonl", "".join(map(_line, ordered)))
        for file in self._files()[1:]:
            file.unlink()
        return ordered

    def read(self, name: str) -> dict[str, Any] | None:
        """The JSON file `name` of the folder; None if there is none, FileError if it is damaged."""
        file = self.folder / name
        if not file.exists():
            return None
        try:
            content: dict[str, Any] = read_json(file)
        except FileError as error:
            raise FileError(f"{error}; delete the file, and the run's own command writes it anew") from error
        return content

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace the JSON file `name` of the folder at one stroke."""
        _replace(self.folder / name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def _files(self) -> list[Path]:
        others = sorted(self.folder.glob("predictions-*.jsonl"))
        return [self.folder / "predictions.jsonl", *others]


def _line(prediction: Prediction) -> str:
    return json.dumps(asdict(prediction), ensure_ascii=False) + "\n"


def _read(file: Path) -> Iterator[Prediction]:
    remedy = "delete the line, and the run's own command answers its example again"
    try:
        for number, line in read_lines(file, complete=True, remedy=remedy):
            if line.strip():
                yield _prediction(line, f"{short(file)}, line {number} is not a prediction", remedy)
    except FileError:
        if file.exists():
            raise  # else there never was one, or `consolidate` has taken it away meanwhile


def _prediction(line: str, problem: str, remedy: str) -> Prediction:
    try:
        return record(Prediction, parse(line))
    except JsonError as error:
        raise FileError(f"{problem}: {error}; {remedy}") from error


def drop_torn_line(file: Path) -> None:
    """Take away a last line that has no end, as a killed process leaves it."""
    if not file.exists():
        return
    with file.open("rb+") as content:
        text = content.read()
        content.truncate(text.rfind(b"\n") + 1)


def _replace(file: Path, text: str) -> None:
    fresh = file.with_name(file.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
