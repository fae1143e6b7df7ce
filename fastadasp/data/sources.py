"""Where an example's audio comes from: whole files, members of archives, cuts out of these, and several joined.

In a manifest: `"a.wav"`; `{"file": "talk.wav", "start": 12.5, "seconds": 3.2}`; `{"file": "shard.tar", "member":
"a.wav"}`, also with `start` and `seconds`; or, with half a second of silence between two recordings,
`{"join": ["a.wav", "b.wav"], "gap": 0.5}`.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from fastadasp.data.archives.member import KINDS, Member, is_archive
from fastadasp.files.named import is_file, located
from fastadasp.files.text import short, shown

Place = Path | Member
"""Where one recording lies: a file of its own, or a member of an archive."""


@dataclass(frozen=True)
class Cut:
    """A stretch of a recording."""

    file: Place
    start: float = 0.0
    """Seconds from the file's beginning."""
    seconds: float | None = None
    """Length; None: to the file's end."""

    def __str__(self) -> str:
        end = "the end" if self.seconds is None else f"{self.start + self.seconds:g} s"
        return f"{self.file} from {self.start:g} s to {end}"


@dataclass(frozen=True)
class Joined:
    """Several recordings as one, in this order."""

    parts: tuple[Place | Cut, ...]
    gap: float = 0.0
    """Seconds of silence between two parts."""

    def __str__(self) -> str:
        return " and ".join(map(str, self.parts))


Source = Place | Cut | Joined


class SourceError(ValueError):
    """A value of a manifest's field `audio` that names no audio; the message says why, without file and line."""


def sources(value: object, folder: Path) -> tuple[Source, ...]:
    """What the field `audio` of a manifest in `folder` names, in prompt order. Raises SourceError."""
    given = value if isinstance(value, list) else [value]
    if not given:
        raise SourceError("must be a path or a list of at least one path, got []")
    return tuple(_source(one, folder, value) for one in given)


def _source(value: object, folder: Path, whole: object) -> Source:
    if isinstance(value, str) and value:
        return _file(folder, value)
    if not isinstance(value, Mapping):
        raise SourceError(
            f'must be a path or a list of at least one path, or an object such as {{"file": "a.wav", "start": 1.5, '
            f'"seconds": 3}}, got {shown(whole)}'
        )
    if "join" not in value:
        return _cut(value, folder)
    _only(value, ("join", "gap"))
    parts = value["join"]
    if not isinstance(parts, list) or not parts:
        raise SourceError(f"'join' must be a list of at least one path, got {shown(parts)}")
    inner = tuple(_source(part, folder, parts) for part in parts)
    if any(isinstance(part, Joined) for part in inner):
        raise SourceError("'join' cannot hold another 'join'")
    return Joined(inner, _seconds(value, "gap", 0.0, least=0.0))  # type: ignore[arg-type]


def _cut(value: Mapping[str, Any], folder: Path) -> Cut | Member:
    """A stretch of a file or of a member of an archive, or a whole member."""
    _only(value, ("file", "member", "start", "seconds"))
    name = value.get("file")
    if not isinstance(name, str) or not name:
        raise SourceError(f"'file' must be a path, got {shown(name)}")
    seconds = None if value.get("seconds") is None else _seconds(value, "seconds", 0.0, above=0.0)
    file = _file(folder, name)
    place = file if "member" not in value else _member(file, value["member"])
    if isinstance(place, Member) and not {"start", "seconds"} & value.keys():
        return place
    return Cut(place, _seconds(value, "start", 0.0, least=0.0), seconds)


def _member(file: Path, name: object) -> Member:
    from fastadasp.data.archives import problem_of

    if not isinstance(name, str) or not name:
        raise SourceError(f"'member' must be a path within the archive, got {shown(name)}")
    if not is_archive(file):
        raise SourceError(f"'file' must end in {', '.join(KINDS)} where 'member' is given, got {short(file)}")
    member = Member(file, name)
    if problem := problem_of(member):
        raise SourceError(problem)
    return member


def _file(folder: Path, name: str) -> Path:
    file = located(folder, name)
    if not is_file(file):
        hint = "; folders are told apart by /, not \\" if "\\" in name else ""
        raise SourceError(f"no file {short(file)}{hint}")
    return file


def _only(value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := [key for key in value if key not in known]:
        raise SourceError(f"has the unknown key {shown(unknown[0])}; known are {', '.join(known)}")


def _seconds(
    value: Mapping[str, Any], key: str, default: float, least: float | None = None, above: float | None = None
) -> float:
    given = value.get(key, default)
    number = isinstance(given, int | float) and not isinstance(given, bool) and isfinite(given)
    if not number or (least is not None and given < least) or (above is not None and given <= above):
        allowed = f"from {least:g}" if least is not None else f"above {above:g}"
        raise SourceError(f"{key!r} must be a number of seconds {allowed}, got {shown(given)}")
    return float(given)


def files_of(source: Source) -> Iterator[Path]:
    """The files of a source; of a member, its archive."""
    match source:
        case Joined(parts):
            for part in parts:
                yield from files_of(part)
        case Cut(file):
            yield from files_of(file)
        case Member(file):
            yield file
        case _:
            yield source


def written(source: Source, folder: Path) -> str | dict[str, Any]:
    """A source as the field `audio` of a manifest in `folder`, files named relative to that."""
    match source:
        case Joined(parts, gap):
            return {"join": [written(part, folder) for part in parts], **({"gap": gap} if gap else {})}
        case Cut(file, start, seconds):
            return {
                **_placed(file, folder),
                "start": start,
                **({} if seconds is None else {"seconds": seconds}),
            }
        case Member():
            return _placed(source, folder)
        case _:
            return _relative(source, folder)


def _placed(place: Place, folder: Path) -> dict[str, Any]:
    if isinstance(place, Member):
        return {"file": _relative(place.file, folder), "member": place.name}
    return {"file": _relative(place, folder)}


def _relative(file: Path, folder: Path) -> str:
    return os.path.relpath(file.resolve(), folder.resolve())
