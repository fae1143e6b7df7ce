"""JSONL manifests: one example per line, read strictly, so that a bad corpus stops before any weight is loaded."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Self

from fastadasp.data.sources import Cut, Joined, Place, Source, SourceError, sources
from fastadasp.errors import InputError
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.shelf import kept
from fastadasp.files.text import FileError, home, read_lines, short, shown

MAX_REPORTED = 20
"""Problems that one error spells out; further ones are counted."""
MAX_ID = 500
"""Characters of an id, which messages and reports repeat."""

_OTHERS = {
    "audio_filepath": ("nemo", "a NeMo manifest"),
    "recording": ("lhotse", "cuts of lhotse"),
    "file_name": ("audiofolder", "the metadata of a Hugging Face audiofolder"),
}
"""By a field that is theirs, manifests of other tools: the option of `data=` and what they are called."""


class ManifestError(InputError):
    """A manifest that cannot be used; the message lists every bad line with file, line number and field."""

    @classmethod
    def listing(
        cls, path: Path | str, problems: Sequence[str], kind: str = "manifest", count: int | None = None
    ) -> Self:
        """The error that lists `problems` of the manifest at `path`, or of what else `kind` says.

        count: how many there are, where `problems` holds only the first.
        """
        count = len(problems) if count is None else count
        lines = [f"  {short(problem, 400)}" for problem in problems[:MAX_REPORTED]]
        if count > MAX_REPORTED:
            lines.append(f"  ... and {count - MAX_REPORTED} more")
        counted = f"{count} problem{'s' if count > 1 else ''}"
        return cls("\n".join([f"{counted} in {kind} {short(path)}:", *lines]))


@dataclass(frozen=True)
class Field:
    """What one field of a manifest line must hold."""

    kind: type
    """`str`, `float` (any number) or `list` (of at least two strings)."""
    allowed: Sequence[str] | None = None
    """The only strings allowed, compared in lower case; None allows any that is not blank."""

    def problem(self, value: object) -> str | None:
        """What is wrong with `value`, or None."""
        match self.kind():
            case str():
                if not isinstance(value, str) or not value.strip():
                    return f"must be a text that is not blank, got {shown(value)}"
                if self.allowed is not None and value.strip().lower() not in self.allowed:
                    return f"must be one of {', '.join(self.allowed)}; got {shown(value)}"
            case float():
                number = isinstance(value, int | float) and not isinstance(value, bool)
                if not number or not isfinite(value) or value <= 0:  # type: ignore[arg-type, operator]
                    return f"must be a number above 0, got {shown(value)}"
            case list():
                strings = isinstance(value, list) and all(isinstance(v, str) and v.strip() for v in value)
                if not strings or len(value) < 2:  # type: ignore[arg-type]
                    return f"must be a list of at least two texts, got {shown(value)}"
        return None


@dataclass(frozen=True)
class Record:
    """One checked manifest line."""

    id: str
    audio: tuple[Source, ...]
    """Whole files, cuts out of files, or several joined, in prompt order."""
    seconds: float
    """Length of all audio; 0 when the line does not say and the file's header cannot be read."""
    fields: Mapping[str, object]
    """All fields of the line but id, audio and seconds."""
    where: str
    """`<file>:<line>`, for messages."""


def read_manifest(path: Path, fields: Mapping[str, Field], limit: int | None = None) -> Sequence[Record]:
    """Read `path`, or its first `limit` lines, requiring `id`, `audio` and `fields` on every line.

    `audio` is one path or a list of paths, relative to the manifest's folder (`~` stands for the user's own), or what
    else `data.sources` reads; `id` is a text or a whole number; `seconds` is optional and measured from the file's
    header when absent. Blank lines are skipped. Many records lie in a temporary file (`files.shelf`). Raises
    ManifestError with every problem found.
    """
    path = home(path)
    problems = Problems()
    records = kept(_records(path, fields, limit, problems))
    if problems and _is_one_value(path):
        problems.first(
            "it is one JSON value over the whole file, where each example needs a line (JSON Lines); with jq, "
            "`jq -c '.[]' FILE` writes the lines of a list"
        )
    problems.refuse(path)
    if not records:
        raise ManifestError.listing(path, ["it holds no line; one JSON object per line is expected"])
    return records


class Problems:
    """What is wrong with the lines of a manifest: the first few in words, of all others the number."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._count = 0

    def add(self, problem: str) -> None:
        """Note one more."""
        self._count += 1
        if len(self._first) < MAX_REPORTED:
            self._first.append(problem)

    def first(self, problem: str) -> None:
        """Note one that explains all others."""
        self._first = [problem, *self._first[:2]]

    def __bool__(self) -> bool:
        return self._count > 0

    def refuse(self, path: Path) -> None:
        """Raise ManifestError if there is any."""
        if self._count:
            raise ManifestError.listing(path, self._first, count=self._count)


def _records(path: Path, fields: Mapping[str, Field], limit: int | None, problems: Problems) -> Iterator[Record]:
    """The records of all lines without a problem."""
    first_line_of: dict[str, int] = {}
    for number, line in _numbered(path, limit):
        raw, audio, found = _parse_line(line, path.parent, fields)
        identity = raw.get("id")
        if isinstance(identity, str) and first_line_of.setdefault(identity, number) != number:
            found.append(f"field 'id': {shown(identity)} is already used on line {first_line_of[identity]}")
        for problem in found:
            problems.add(f"line {number}: {problem}")
        if not found:
            yield _record(raw, audio, f"{path}:{number}")


def _is_one_value(path: Path) -> bool:
    """Whether a file begins as a list, or as an object over several lines, as `json.dump` writes them."""
    with suppress(FileError):
        for _, line in _numbered(path, 1):
            return line.strip().startswith("[") or line.strip() == "{"
    return False


def _numbered(path: Path, limit: int | None) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, at most `limit`, with their numbers."""
    try:
        yield from islice(((number, line) for number, line in read_lines(path) if line.strip()), limit)
    except FileError as error:
        advice = "" if path.is_file() else " (set task.manifest to the .jsonl file)"
        if (path / "wav.scp").is_file():
            advice = " (for a Kaldi folder give data=kaldi data.root=FOLDER)"
        raise ManifestError.listing(path, [str(error).removeprefix(short(path)).lstrip(":, ") + advice]) from error


def _parse_line(
    line: str, folder: Path, fields: Mapping[str, Field]
) -> tuple[dict[str, object], tuple[Source, ...], list[str]]:
    """The line's fields, its audio, and what is wrong with them."""
    try:
        raw = parse(line, strict=True)
    except JsonError as error:
        return {}, (), [str(error)]
    if not isinstance(raw, dict):
        return {}, (), [f'must be a JSON object such as {{"id": ..., "audio": ...}}, got {shown(raw)}']
    if type(raw.get("id")) is int:
        raw["id"] = str(raw["id"])
    problems = []
    for name, field in {"id": Field(str), **fields, **({"seconds": Field(float)} if "seconds" in raw else {})}.items():
        if name not in raw:
            problems.append(_missing(name, raw))
        elif problem := field.problem(raw[name]):
            problems.append(f"field {name!r} {problem}")
    if len(str(raw.get("id"))) > MAX_ID:
        problems.append(f"field 'id' may have at most {MAX_ID} characters, got {shown(raw['id'])}")
    audio: tuple[Source, ...] = ()
    try:
        if "audio" in raw:
            audio = sources(raw["audio"], folder)
        else:
            problems.append(_missing("audio", raw))
    except SourceError as error:
        problems.append(f"field 'audio': {error}" if str(error).startswith("no file") else f"field 'audio' {error}")
    return raw, audio, problems


def _missing(name: str, raw: Mapping[str, object]) -> str:
    other = next((corpus for sign, corpus in _OTHERS.items() if sign in raw), None)
    advice = f" (for {other[1]} give data={other[0]} data.root=FILE)" if name == "audio" and other else ""
    return f"field {name!r} is missing; the line has {short(', '.join(raw)) or 'no field'}{advice}"


def _record(raw: dict[str, object], audio: tuple[Source, ...], where: str) -> Record:
    seconds = float(raw["seconds"]) if "seconds" in raw else sum(map(_length, audio))  # type: ignore[arg-type]
    rest = {name: item for name, item in raw.items() if name not in ("id", "audio", "seconds")}
    return Record(str(raw["id"]), audio, seconds, rest, where)


def _length(source: Source) -> float:
    """Seconds of a source, by its own words or its file's header; 0 where neither tells."""
    match source:
        case Joined(parts, gap):
            return sum(map(_length, parts)) + gap * (len(parts) - 1)
        case Cut(file, start, seconds):
            return max(0.0, _header_seconds(file) - start) if seconds is None else seconds
        case _:
            return _header_seconds(source)


def _header_seconds(place: Place) -> float:
    """Length from the file's header; 0 when it has none that can be read: reading the audio then says why."""
    from fastadasp.data.audio import AudioError  # 0.1 s; only needed for manifests without `seconds`
    from fastadasp.data.listen import seconds_of

    try:
        return seconds_of(place)
    except AudioError:
        return 0.0
