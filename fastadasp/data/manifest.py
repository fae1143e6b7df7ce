"""JSONL manifests: one example per line, read strictly, so that a bad corpus stops before any weight is loaded."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fastadasp.errors import InputError

MAX_REPORTED = 20
"""Problems that one error spells out; further ones are counted."""


class ManifestError(InputError):
    """A manifest that cannot be used; the message lists every bad line with file, line number and field."""

    @classmethod
    def listing(cls, path: Path, problems: Sequence[str]) -> Self:
        """The error that lists `problems` of the manifest at `path`."""
        shown = [f"  {problem}" for problem in problems[:MAX_REPORTED]]
        if len(problems) > MAX_REPORTED:
            shown.append(f"  ... and {len(problems) - MAX_REPORTED} more")
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        return cls("\n".join([f"{count} in manifest {path}:", *shown]))


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
                    return f"must be a text that is not blank, got {value!r}"
                if self.allowed is not None and value.strip().lower() not in self.allowed:
                    return f"must be one of {', '.join(self.allowed)}; got {value!r}"
            case float():
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                    return f"must be a number above 0, got {value!r}"
            case list():
                strings = isinstance(value, list) and all(isinstance(v, str) and v.strip() for v in value)
                if not strings or len(value) < 2:  # type: ignore[arg-type]
                    return f"must be a list of at least two texts, got {value!r}"
        return None


@dataclass(frozen=True)
class Record:
    """One checked manifest line."""

    id: str
    audio: tuple[Path, ...]
    seconds: float
    """Length of all audio; 0 when the line does not say and the file's header cannot be read."""
    fields: Mapping[str, object]
    """All fields of the line but id, audio and seconds."""
    where: str
    """`<file>:<line>`, for messages."""


def read_manifest(path: Path, fields: Mapping[str, Field], limit: int | None = None) -> list[Record]:
    """Read `path`, or its first `limit` lines, requiring `id`, `audio` and `fields` on every line.

    `audio` is one path or a list of paths, relative to the manifest's folder; `seconds` is optional and measured
    from the file's header when absent. Blank lines are skipped. Raises ManifestError with every problem found.
    """
    if not path.is_file():
        what = "is a folder; name the .jsonl file in it" if path.is_dir() else "does not exist"
        raise ManifestError.listing(path, [f"the file {what} (set task.manifest)"])
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # splitlines() would also cut at U+2028
    except UnicodeDecodeError as error:
        raise ManifestError.listing(path, [f"not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()][:limit]
    if not numbered:
        raise ManifestError.listing(path, ["it holds no line; one JSON object per line is expected"])
    records: list[Record] = []
    problems: list[str] = []
    first_line_of: dict[str, int] = {}
    for number, line in numbered:
        raw, found = _parse_line(line, path.parent, fields)
        identity = raw.get("id")
        if isinstance(identity, str) and first_line_of.setdefault(identity, number) != number:
            found.append(f"field 'id': {identity!r} is already used on line {first_line_of[identity]}")
        problems += [f"line {number}: {problem}" for problem in found]
        if not found:
            records.append(_record(raw, path.parent, f"{path}:{number}"))
    if problems:
        raise ManifestError.listing(path, problems)
    return records


def _parse_line(line: str, folder: Path, fields: Mapping[str, Field]) -> tuple[dict[str, object], list[str]]:
    """The line's fields and what is wrong with them."""
    try:
        raw = json.loads(line)
    except json.JSONDecodeError as error:
        return {}, [f"not JSON: {error.msg} at column {error.colno}"]
    if not isinstance(raw, dict):
        return {}, [f'must be a JSON object such as {{"id": ..., "audio": ...}}, got {type(raw).__name__}']
    problems = []
    for name, field in {"id": Field(str), **fields, **({"seconds": Field(float)} if "seconds" in raw else {})}.items():
        if name not in raw:
            problems.append(f"field {name!r} is missing; the line has {', '.join(raw) or 'no field'}")
        elif problem := field.problem(raw[name]):
            problems.append(f"field {name!r} {problem}")
    return raw, problems + _audio_problems(raw, folder)


def _audio_problems(raw: Mapping[str, object], folder: Path) -> list[str]:
    if "audio" not in raw:
        return [f"field 'audio' is missing; the line has {', '.join(raw) or 'no field'}"]
    value = raw["audio"]
    names = [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str) and name]
    if not names or (isinstance(value, list) and len(names) < len(value)):
        return [f"field 'audio' must be a path or a list of at least one path, got {value!r}"]
    return [f"field 'audio': no file {folder / name}" for name in names if not (folder / name).is_file()]


def _record(raw: dict[str, object], folder: Path, where: str) -> Record:
    value = raw["audio"]
    audio = tuple(folder / str(name) for name in (value if isinstance(value, list) else [value]))
    seconds = raw["seconds"] if "seconds" in raw else sum(map(_header_seconds, audio))
    rest = {name: item for name, item in raw.items() if name not in ("id", "audio", "seconds")}
    return Record(str(raw["id"]), audio, float(seconds), rest, where)  # type: ignore[arg-type]


def _header_seconds(path: Path) -> float:
    """Length from the file's header; 0 when it has none that can be read: reading the audio then says why."""
    from fastadasp.data.audio import AudioError, audio_seconds  # 0.1 s; only needed for manifests without `seconds`

    try:
        return audio_seconds(path)
    except AudioError:
        return 0.0
