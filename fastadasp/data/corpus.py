"""What a corpus is: examples that lie on this machine in the layout of their makers, one class for each layout."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastadasp.data.sources import Source
from fastadasp.errors import InputError
from fastadasp.files.text import home, short


class CorpusError(InputError):
    """A corpus that is not where it should be, or not laid out as it should be; the message says what was expected."""


@dataclass(frozen=True)
class Row:
    """One example."""

    id: str
    audio: Source | tuple[Source, ...]
    """One or several recordings, in prompt order."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """What tasks read: text, translation, label, speaker, ..."""
    seconds: float | None = None
    """Length of the audio where the corpus states it; else measured."""


@dataclass(frozen=True)
class LeftOut:
    """A line of the corpus that is no example, by its makers' rules or the user's settings."""

    reason: str
    """The same words for the same reason: they are counted."""


@dataclass(frozen=True)
class Bad:
    """A line that cannot be used though it should be."""

    where: str
    """File and line, or the line's id."""
    problem: str


@dataclass(frozen=True)
class Corpus(ABC):
    """A corpus, or a part of it; its dataclass fields are the schema of `conf/data/<name>.yaml`."""

    root: Path
    """Where it lies."""

    @abstractmethod
    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, in an order that does not change; audio files are named, not opened.

        Raises CorpusError where the layout is another, FileError where a table cannot be read.
        """

    @property
    def base(self) -> Path:
        """`root`, a leading `~` replaced."""
        return home(self.root)

    def find(self, *candidates: str, what: str) -> Path:
        """The first of `candidates`, paths below `root`, that exists. what: it in words, for CorpusError."""
        for name in candidates:
            if (path := self.base / name).exists():
                return path
        looked = " or ".join(short(self.base / name) for name in candidates)
        raise CorpusError(f"{type(self).__name__}: no {what}: {looked} does not exist; check data.root")


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
