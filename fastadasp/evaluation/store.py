"""The folder of one run: predictions as they come, resumable after a kill, and the results made from them."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from fastadasp.errors import InputError
from fastadasp.evaluation.stored import Gathered, line_of, predictions_in, stored
from fastadasp.files.json_text import read_json
from fastadasp.files.text import FileError
from fastadasp.tasks.base import Prediction

_BLOCK = 4096

METRICS = "metrics.json"
OWNER = "run.json"
"""Which run the folder belongs to."""
ORIGINS = "provenance"
"""Folder with a file for each code, set of libraries and device that answers come from."""


class StoreError(InputError):
    """The folder of a run cannot be used: it cannot be written, or it belongs to another run."""


class BusyError(StoreError):
    """Another process is running the same configuration at this moment."""


class RunStore:
    """Predictions of one run, one JSON line each.

    Each process appends to a file of its own (`predictions.jsonl`, `predictions-1.jsonl`, ...), batch by batch;
    `consolidate` leaves one file in the order of the examples. A half-written last line, all that a kill can leave
    behind, is dropped.
    """

    def __init__(self, folder: Path, rank: int = 0) -> None:
        self.folder = folder
        self._file = folder / ("predictions.jsonl" if rank == 0 else f"predictions-{rank}.jsonl")
        self.writable = True
        """False in a folder that can only be read: of a finished run, that is enough."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder; the lock ends with the process, also when it is killed.

        A folder that holds results and can only be read is not locked: nothing can change it.
        """
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(
                f"another process is running this very configuration in {self.folder}; wait for it, or change a setting"
            ) from None
        except OSError as error:
            if not (self.folder / METRICS).is_file():
                raise _unwritable(self.folder, error) from error
            self.writable = False
        try:
            yield
        finally:
            lock.release()

    def claim(self, fingerprint: str) -> None:
        """Note that the folder holds the run of this fingerprint. Raises StoreError where it holds another one's.

        Folders are called after fingerprints, but hydra.run.dir can give two unlike runs the same one.
        """
        owner = (self.read(OWNER) or self.read(METRICS) or {}).get("fingerprint", fingerprint)
        if owner != fingerprint:
            raise StoreError(
                f"{self.folder} holds another run: its fingerprint is {owner}, that of these settings {fingerprint}. "
                "Give each run a folder of its own (another hydra.run.dir, or none), or delete that one"
            )
        if self.writable and not (self.folder / OWNER).exists():
            self.write(OWNER, {"fingerprint": fingerprint})

    def note_origin(self, provenance: Mapping[str, Any]) -> str:
        """Keep what the answers of a process come from; returns the name by which each of them mentions that."""
        described = json.dumps(provenance, sort_keys=True)
        name = hashlib.sha256(described.encode()).hexdigest()[:8]
        if not (self.folder / ORIGINS / f"{name}.json").exists():
            self.write(f"{ORIGINS}/{name}.json", provenance)
        return name

    def origins(self, counted: "Counter[str]") -> list[dict[str, Any]]:
        """What the answers come from, each with the number of `examples` that it answered, most first.

        counted: how many answers name each origin; empty where they were stored by a version that did not note it.
        """
        return [{**(self.read(f"{ORIGINS}/{name}.json") or {}), "examples": n} for name, n in counted.most_common()]

    def predictions(self) -> dict[str, Prediction]:
        """All finished predictions by id, of all processes."""
        return {prediction.id: prediction for prediction in self.each()}

    def each(self) -> Iterator[Prediction]:
        """All finished predictions of all processes, read one by one; of those with equal ids, the last counts."""
        # `predictions.jsonl` last: whatever `consolidate` takes away meanwhile is found there.
        for file in reversed(self._files()):
            yield from predictions_in(file)

    def gathered(self) -> Sequence[Prediction]:
        """All finished predictions, in the order in which they were stored.

        Those of one file, as a finished run has it, are read from it when they are asked for, if there are many.
        """
        found = Gathered(reversed(self._files()))
        ids = found.ids
        return stored(found.files[0]) if found.in_order(ids) else found.predictions(ids)

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Write predictions so that they survive a kill of this process from now on."""
        with _writing(self._file):
            drop_torn_line(self._file)
            with self._file.open("a", encoding="utf-8") as file:
                file.write("".join(map(line_of, predictions)))  # one write, so that a kill hardly ever splits a batch

    def consolidate(self, ids: Sequence[str]) -> Sequence[Prediction]:
        """Gather every process's lines in `predictions.jsonl`, in the order of `ids`; returns them.

        Many are read from the disk when they are asked for. Raises RuntimeError if some id has no prediction.
        """
        found = Gathered(reversed(self._files()))
        if missing := [id for id in ids if id not in found]:
            raise RuntimeError(f"{len(missing)} of {len(ids)} examples have no prediction, first {missing[0]}")
        first, *others = self._files()
        if found.in_order(ids):
            return stored(first)
        if not self.writable:
            return found.predictions(ids)
        with _writing(self.folder):
            _replace(first, lambda file: found.write(ids, file))
            for file in others:
                file.unlink(missing_ok=True)
        return stored(first)

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
        """Replace the JSON file `name` of the folder at one stroke; nothing is done where it has this very content."""
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        file = self.folder / name
        with _writing(file):
            if not file.is_file() or file.read_text(encoding="utf-8", errors="replace") != text:
                file.parent.mkdir(parents=True, exist_ok=True)
                _replace(file, lambda content: content.write(text.encode()))

    def _files(self) -> list[Path]:
        others = sorted(self.folder.glob("predictions-*.jsonl"))
        return [self.folder / "predictions.jsonl", *others]


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Word what the operating system says when `place` cannot be written."""
    try:
        yield
    except OSError as error:
        raise _unwritable(place, error) from error


def _unwritable(place: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{place} cannot be written: {error.strerror or error}. What is already there is kept; make room, or the "
        "folder writable, and the same command goes on (output_dir=... puts results elsewhere)"
    )


def drop_torn_line(file: Path) -> None:
    """Take away a last line that has no end, as a killed process leaves it; what is before is not read."""
    if not file.exists():
        return
    with file.open("rb+") as content:
        end = content.seek(0, os.SEEK_END)
        whole = end
        while whole:
            start = max(0, whole - _BLOCK)
            content.seek(start)
            found = content.read(whole - start).rfind(b"\n")
            if found >= 0:
                whole = start + found + 1
                break
            whole = start
        if whole < end:
            content.truncate(whole)


def _replace(file: Path, write: Callable[[BinaryIO], object]) -> None:
    fresh = file.with_name(file.name + ".new")
    try:
        with fresh.open("wb") as content:
            write(content)
        fresh.replace(file)
    except OSError:
        with suppress(OSError):
            fresh.unlink()  # the part of it for which there was room
        raise
