"""From a corpus to a manifest: every problem at once, and nothing written where there is one."""

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastadasp.data.archives import Member, problem_of
from fastadasp.data.manifest import ManifestError
from fastadasp.data.rows import Bad, CorpusError, Found, LeftOut, Row
from fastadasp.data.sources import Cut, Joined, Place, Source, files_of, written
from fastadasp.files.json_text import JsonError, check
from fastadasp.files.named import is_file
from fastadasp.files.text import short

TOLERANCE = 0.1
"""Seconds by which a cut may reach beyond the end of its file: tables round."""


@dataclass
class Converted:
    """What became of a corpus' lines."""

    lines: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """How many lines of the corpus became none of the manifest, by reason."""
    problems: list[str] = field(default_factory=list)
    """Lines that cannot be used, and why."""

    def told(self) -> str:
        """Counts, as a sentence."""
        listed = ", ".join(f"{count} ({reason})" for reason, count in sorted(self.left_out.items()))
        return f"{self.lines} examples" + (f"; left out: {listed}" if listed else "")


def convert(rows: Iterable[Found], name: str, manifest: Path, skip_bad: bool = False) -> Converted:
    """Write what a corpus yields as a manifest, audio paths relative to that; the file is replaced at one stroke.

    name: of the corpus, for messages. skip_bad: leave out what cannot be used, counted as `bad`. Raises ManifestError,
    which lists every bad line, clip that is missing, cut off or without sound, cut that lies outside of its file, and
    id that stands twice; CorpusError where the corpus is not there or holds no example.
    """
    manifest.parent.mkdir(parents=True, exist_ok=True)
    done = Converted()
    handle, temporary = tempfile.mkstemp(prefix=f".{manifest.name}.", dir=manifest.parent)
    fresh = Path(temporary)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for line in _lines(rows, manifest.parent, done):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        if done.problems and not skip_bad:
            raise ManifestError.listing(name, done.problems, "corpus")
        if not done.lines:
            raise CorpusError(f"nothing found: {done.told()}")
        done.left_out.update({"bad": len(done.problems)} if done.problems else {})
        fresh.chmod(0o644)
        fresh.replace(manifest)
    finally:
        fresh.unlink(missing_ok=True)
    return done


def _lines(rows: Iterable[Found], folder: Path, done: Converted) -> Iterator[dict[str, Any]]:
    """The manifest's lines; counts and problems go into `done`."""
    seen: set[str] = set()
    lengths = _Lengths()
    for found in rows:
        if isinstance(found, LeftOut):
            done.left_out[found.reason] += 1
        elif isinstance(found, Bad):
            done.problems.append(f"{found.where}: {found.problem}")
        elif found.id in seen:
            done.problems.append(f"{short(found.id)}: this id stands twice")
        else:
            seen.add(found.id)
            line, problem = _line(found, folder, lengths)
            if problem is None:
                done.lines += 1
                yield line
            else:
                done.problems.append(f"{short(found.id)}: {problem}")


def _line(row: Row, folder: Path, lengths: "_Lengths") -> tuple[dict[str, Any], str | None]:
    """A manifest line, and what is wrong with it."""
    given = row.audio if isinstance(row.audio, tuple) else (row.audio,)
    seconds = 0.0
    for source in given:
        length, problem = lengths.of(source)
        if problem is not None:
            return {}, problem
        seconds += length
    audio = [written(source, folder) for source in given]
    fields = {key: value for key, value in row.fields.items() if key not in ("id", "audio", "seconds")}
    line = {"id": row.id, "audio": audio[0] if len(audio) == 1 else audio, "seconds": round(seconds, 3), **fields}
    try:
        check(line, strict=True)
    except JsonError as error:
        return {}, str(error)
    return line, None


class _Lengths:
    """Lengths of files by their headers, each asked once in a row: the cuts of a talk follow each other."""

    def __init__(self) -> None:
        self._latest: tuple[Place, tuple[float, str | None]] | None = None

    def of(self, source: Source) -> tuple[float, str | None]:
        """Seconds of a source, and what is wrong with it."""
        match source:
            case Joined(parts, gap):
                found = [self.of(part) for part in parts]
                problem = next((problem for _, problem in found if problem), None)
                return sum(length for length, _ in found) + gap * (len(parts) - 1), problem
            case Cut(file, start, seconds):
                whole, problem = self._file(file)
                end = whole if seconds is None else start + seconds
                if problem is None and (start >= whole or end > whole + TOLERANCE):
                    problem = f"{short(file)} has {whole:g} s, but the cut is from {start:g} s to {end:g} s"
                return max(0.0, min(end, whole) - start), problem
            case _:
                return self._file(source)

    def _file(self, file: Place) -> tuple[float, str | None]:
        if self._latest is None or self._latest[0] != file:
            self._latest = (file, _measured(file))
        return self._latest[1]


def _measured(file: Place) -> tuple[float, str | None]:
    from fastadasp.data.audio import AudioError
    from fastadasp.data.listen import seconds_of

    if isinstance(file, Member):
        if problem := problem_of(file):
            return 0.0, problem
    elif not is_file(file):
        return 0.0, f"no file {short(file)}"
    try:
        seconds = seconds_of(file)
    except AudioError as error:
        return 0.0, short(error, 300)
    return seconds, None if seconds > 0 else f"{short(file)} holds no sound"


def up_to_date(rows: Iterable[Found], folder: Path, settings: str) -> tuple[Path, Callable[[], object] | None]:
    """The manifest of a corpus in a folder beside `folder`, and None where it is still that of these rows and files.

    settings: what else makes another manifest. Else it must be written, and then the function called that comes back.
    """
    state = hashlib.sha256()
    for found in rows:
        state.update(repr(found).encode(errors="backslashreplace"))
        if isinstance(found, Row):
            for source in found.audio if isinstance(found.audio, tuple) else (found.audio,):
                state.update("".join(map(_state, files_of(source))).encode())
    digest = state.hexdigest()
    place = folder.with_name(f"{folder.name}-{hashlib.sha256(settings.encode()).hexdigest()[:12]}")
    manifest, kept = place / "manifest.jsonl", place / "source.sha256"
    if manifest.is_file() and kept.is_file() and kept.read_bytes() == digest.encode():
        return manifest, None
    kept.unlink(missing_ok=True)
    return manifest, lambda: kept.write_bytes(digest.encode())


def _state(file: Path) -> str:
    """What tells whether a file is the one from before."""
    if not is_file(file):
        return "missing"
    status = file.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"
