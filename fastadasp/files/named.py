"""Files that a manifest names: where they lie, and all of them at a glance."""

import os
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal
from unicodedata import normalize

from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.text import FileError, home, read_lines

_REMEMBERED = 4096
"""Names whose files are remembered: of stretches of long recordings, many lines name the same file."""
_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def located(folder: Path, name: str) -> Path:
    """The file that a manifest in `folder` calls `name`, there or not; a leading `~` is the user's own folder.

    Where accents are spelt otherwise (one character or two) in the name than on the disk, as between macOS and other
    systems, the disk's spelling counts.
    """
    file = folder / home(Path(name))
    if name.isascii() or is_file(file):
        return file
    spellings = (folder / home(Path(normalize(form, name))) for form in _FORMS)
    return next(filter(is_file, spellings), file)


def is_file(path: Path) -> bool:
    """Whether there is such a file; no error for a name that no disk can hold."""
    return os.path.isfile(path)  # noqa: PTH113  Path.is_file raises where a name is too long


def names_in(audio: object) -> Iterator[str]:
    """The paths in a manifest line's field `audio`: a path, a cut out of a file, several joined, or a list of these."""
    if isinstance(audio, str):
        yield audio
    elif isinstance(audio, dict):
        yield from names_in(audio.get("join", audio.get("file")))
    elif isinstance(audio, list):
        for one in audio:
            yield from names_in(one)


def audio_files(manifest: Path) -> Iterator[Path]:
    """Every file that a manifest's lines name; what is wrong with a line is left for its reader to report."""
    find = lru_cache(_REMEMBERED)(partial(located, manifest.parent))
    try:
        for _, line in read_lines(manifest):
            try:
                raw = parse(line)
            except JsonError:
                continue
            audio = raw.get("audio") if isinstance(raw, dict) else None
            yield from (find(name) for name in names_in(audio))
    except FileError:
        return
