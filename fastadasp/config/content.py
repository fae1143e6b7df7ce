"""What files hold, as digests: a file is known by its content, and is read again only when it may have changed.

Digests are kept from run to run in the user's cache, one small file for each folder, under path, size, times and inode
of each file. The cache is a convenience alone: without it (a read-only home, a full disk, a damaged file) every digest
is computed anew, with the same result.
"""

import hashlib
import json
import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

CACHE_VARIABLE = "FASTADASP_CACHE"
"""Environment variable that names another folder for the cache; empty: none is kept."""
MISSING = "missing"
"""What stands for the digest of a file that cannot be read."""
_SETTLED_NS = 2_000_000_000
"""Age (2 s) from which a file's times tell of every change: clocks of file systems are coarse."""
_THREADS = 8
_VERSION = 1

Status = tuple[int, int, int, int]
"""Size, modification time, time of the last change of the inode (both ns), and inode of a file."""
_Entries = dict[str, tuple[Status, str]]
"""By a file's name, its status when it was read, and its digest."""


def digests(files: Iterable[Path]) -> list[str]:
    """SHA-256 of each file's content in hexadecimal, or MISSING for one that cannot be read, in the order given.

    Files that are as they were at an earlier call, of whatever process, are not read again.
    """
    wanted = [Path(os.path.abspath(file)) for file in files]  # noqa: PTH100  resolve() would ask the disk for each part
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for file in dict.fromkeys(wanted):
        by_folder[file.parent].append(file)
    found: dict[Path, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for folder, members in by_folder.items():
            found |= _of_folder(folder, members, pool)
    return [found[file] for file in wanted]


def digest(file: Path) -> str:
    """As `digests`, of one file."""
    return digests([file])[0]


def _of_folder(folder: Path, files: list[Path], pool: ThreadPoolExecutor) -> dict[Path, str]:
    cache = _cache_file(folder)
    known = _load(cache, folder)
    found: dict[Path, str] = {}
    unknown: list[Path] = []
    for file in files:
        entry = known.get(file.name)
        if entry is not None and entry[0] == _status(file):
            found[file] = entry[1]
        else:
            unknown.append(file)
    fresh: _Entries = {}
    for file, (status, value, settled) in zip(unknown, pool.map(_read, unknown), strict=True):
        found[file] = value
        if status is not None and settled:
            fresh[file.name] = status, value
    if fresh:
        _save(cache, folder, fresh)
    return found


def _status(file: Path) -> Status | None:
    try:
        about = file.stat()
    except (OSError, ValueError):  # ValueError: names with a NUL
        return None
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino


def _read(file: Path) -> tuple[Status | None, str, bool]:
    """The file's status, its digest, and whether a later change is sure to change the status."""
    before = _status(file)
    now = time.time_ns()
    try:
        with file.open("rb") as content:
            value = hashlib.file_digest(content, "sha256").hexdigest()
    except (OSError, ValueError):
        return None, MISSING, False
    settled = before is not None and before == _status(file) and max(before[1], before[2]) < now - _SETTLED_NS
    return before, value, settled


def _cache_file(folder: Path) -> Path | None:
    """Where the digests of a folder's files are kept; None for nowhere."""
    named = os.environ.get(CACHE_VARIABLE)
    if named == "":
        return None
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]
    return (Path(named) if named else user_cache_path("fastadasp")) / "content" / f"{name}.json"


def _load(cache: Path | None, folder: Path) -> _Entries:
    """What the cache file holds; nothing where it is absent, damaged, or of another folder or version."""
    if cache is None:
        return {}
    try:
        check, _, text = cache.read_bytes().partition(b"\n")
        if check != _check(text):
            return {}
        held = json.loads(text)
        if held["version"] != _VERSION or held["folder"] != os.fsencode(folder).hex():
            return {}
        return {name: (tuple(status), value) for name, (status, value) in held["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _save(cache: Path | None, folder: Path, fresh: Mapping[str, tuple[Status, str]]) -> None:
    """Add `fresh` to the cache file at one stroke.

    Of two processes that save at the same time one may undo what the other added: those files are then read once more.
    """
    if cache is None:
        return
    entries = {**dict(_present(_load(cache, folder), folder)), **fresh}
    held = {"version": _VERSION, "folder": os.fsencode(folder).hex(), "files": entries}
    text = json.dumps(held).encode()  # surrogates of undecodable names are escaped
    draft = cache.with_name(f"{cache.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(_check(text) + b"\n" + text)
        draft.replace(cache)
    except OSError as error:
        logging.getLogger(__name__).debug("digests cannot be kept in %s: %s", cache, error)
        with suppress(OSError):
            draft.unlink()


def _present(entries: _Entries, folder: Path) -> Iterator[tuple[str, tuple[Status, str]]]:
    """Entries of files that are still there."""
    try:
        names = set(os.listdir(folder))  # noqa: PTH208  names alone, without a Path for each
    except OSError:
        return
    yield from ((name, entry) for name, entry in entries.items() if name in names)


def _check(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode()
