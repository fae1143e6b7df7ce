"""What a corpus yields, line by line: examples, what is left out, and what cannot be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastadasp.data.sources import Source
from fastadasp.errors import InputError


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


Found = Row | LeftOut | Bad
