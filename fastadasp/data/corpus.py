"""What a corpus is: examples that lie on this machine in the layout of their makers, one class for each layout."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastadasp.data.convert import Converted, convert, up_to_date
from fastadasp.data.rows import CorpusError, Found, LeftOut, Row
from fastadasp.data.sources import Source
from fastadasp.files.text import home, short

_written: dict[tuple[str, Path], Path] = {}
"""Manifests that this process has written or found up to date, by corpus and folder: a process sees one state."""


@dataclass(frozen=True)
class Corpus(ABC):
    """A corpus, or a part of it; its dataclass fields are the schema of `conf/data/<name>.yaml`."""

    root: Path
    """Where it lies."""

    @abstractmethod
    def rows(self) -> Iterator[Found]:
        """All examples, in an order that does not change; audio files are named, not opened.

        Raises CorpusError where the layout is another, FileError where a table cannot be read.
        """

    @property
    def base(self) -> Path:
        """`root`, a leading `~` replaced."""
        return home(self.root)

    def convert(self, manifest: Path, skip_bad: bool = False) -> Converted:
        """Write all examples as a manifest; settings and errors as `data.convert.convert`."""
        try:
            return convert(self.rows(), str(self), manifest, skip_bad)
        except CorpusError as error:
            raise CorpusError(f"{self}: {error}") from error

    def manifest_in(self, folder: Path) -> Path:
        """The manifest of the corpus in a folder of its own below `folder`, written anew where anything has changed.

        Raises as `convert`. What stands there once in a process stays as it is.
        """
        key = (repr(self), folder)
        if key not in _written:
            name = type(self).__module__.rpartition(".")[2]
            manifest, settle = up_to_date(self.rows(), folder / name, repr(self))
            if settle is not None:
                self.convert(manifest)
                settle()
            _written[key] = manifest
        return _written[key]

    def __str__(self) -> str:
        return f"{type(self).__name__} in {short(self.base)}"

    def find(self, *candidates: str, what: str) -> Path:
        """The first of `candidates`, paths below `root`, that exists. what: it in words, for CorpusError."""
        for name in candidates:
            if (path := self.base / name).exists():
                return path
        looked = " or ".join(short(self.base / name) for name in candidates)
        raise CorpusError(f"no {what}: {looked} does not exist; check data.root")


@dataclass(frozen=True)
class Labelled(Corpus):
    """A corpus whose utterances have one label of several."""

    labels: list[str] = field(default_factory=list)
    """Labels to keep; empty: all. Utterances with others are left out and counted."""

    def labelled(self, id: str, audio: Source, label: str, **fields: object) -> Row | LeftOut:
        """The example, or that it is left out for its label."""
        if self.labels and label not in self.labels:
            return LeftOut(f"label {label}")
        return Row(id, audio, {"label": label, **fields})


def listed(folder: Path, pattern: str) -> list[Path]:
    """Files below `folder` by a glob pattern, sorted by their paths."""
    return sorted(folder.glob(pattern))
