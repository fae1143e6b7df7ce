"""Text files that users can touch: their encoding, their lines, and what error messages show of them.

All parsing of such files goes through this package. It knows nothing of what the files mean.
"""

import codecs
import gzip
import os
import reprlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import IO, cast

from fastadasp.errors import InputError

MAX_LINE = 16 * 2**20
"""Bytes of the longest line that is read; a longer one means that the file is no text file of lines."""

_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings that announce themselves by a byte order mark, as Windows programs write them."""

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60
_SHOWN.maxlong = 40
_SHOWN.maxlist = _SHOWN.maxtuple = _SHOWN.maxdict = 4
_SHOWN.maxlevel = 3


class FileError(InputError):
    """A file that cannot be read; the message names the file, the line, what is wrong and what to do."""


def shown(value: object) -> str:
    """`repr(value)`, shortened to what a message can hold; characters that cannot be printed are escaped."""
    return _middle_cut(_SHOWN.repr(value), 120)


def short(text: object, most: int = 160) -> str:
    """`text` (a path, a name, another library's error) on one line of at most `most` printable characters."""
    line = " ".join(str(text).split())
    return _middle_cut("".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line), most)


def _middle_cut(text: str, most: int) -> str:
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def home(path: Path) -> Path:
    """`path`, a leading `~` or `~name` replaced by that user's folder."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises for a user who does not exist


def read_text(path: Path) -> str:
    """The whole file as text, its line ends written as `\\n`. Raises FileError as `read_lines` does."""
    return "\n".join(line for _, line in read_lines(path))


def read_lines(
    path: Path, *, complete: bool = False, remedy: str = "save the file as UTF-8"
) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers from 1, without line ends (`\\n`, `\\r\\n` or `\\r`).

    UTF-8 with or without a byte order mark, UTF-16 and UTF-32 with one; a name that ends in `.gz` is unpacked. The
    file is read as it is iterated over, so that a long one needs no more memory than its longest line.

    complete: the file is one that our own programs append to; UTF-8 alone is read, and a last line without an end, as a
    killed process leaves it, is left out. remedy: what the message about a line in another encoding advises. Raises
    FileError for a file that is missing, no ordinary file, not readable, or in another encoding.
    """
    with _opened(path) as file:
        start = file.read(4)
        encoding = next((name for mark, name in _OTHER_ENCODINGS.items() if start.startswith(mark)), None)
        if complete or encoding is None:
            pieces = _utf8_lines(path, _byte_lines(path, file, start, complete), remedy)
        else:
            pieces = _decoded(path, start + file.read(), encoding)
        yield from enumerate(pieces, start=1)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked; what goes wrong while they are read becomes a FileError."""
    try:
        if not path.is_file():
            raise FileError(f"{short(path)}: {_missing(path)}")
        with path.open("rb") as content:
            yield cast(IO[bytes], gzip.GzipFile(fileobj=content)) if path.suffix == ".gz" else content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileError(f"{short(path)}: damaged, cannot be unpacked as gzip ({short(error)})") from error
    except OSError as error:
        raise FileError(f"{short(path)}: cannot be read ({error.strerror or short(error)})") from error


def _missing(path: Path) -> str:
    if path.is_dir():
        return "is a folder, not a file"
    return "is no ordinary file" if path.exists() else "does not exist"


def _utf8_lines(path: Path, lines: Iterator[bytes], remedy: str) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            where = f"{error.reason} at byte {error.start + 1} of the line"
            maybe = ", which may be UTF-16" if b"\0" in line else ""
            raise FileError(f"{short(path)}, line {number}: not UTF-8 text{maybe} ({where}); {remedy}") from error
        # Old programs end lines with \r alone. A mark at a line's start is left where files were joined.
        yield from (piece.removeprefix("\ufeff") for piece in text.removesuffix("\r").split("\r"))


def _byte_lines(path: Path, file: IO[bytes], start: bytes, complete: bool) -> Iterator[bytes]:
    """Lines without their `\\n`, of which `start` is already read; complete: as in `read_lines`."""
    *whole, line = start.split(b"\n")
    yield from whole
    for number in count(len(whole) + 1):
        line += file.readline(MAX_LINE)
        if len(line) >= MAX_LINE:
            raise FileError(f"{short(path)}, line {number}: longer than {MAX_LINE >> 20} MiB, so this is no text file")
        if not line or (complete and not line.endswith(b"\n")):
            return
        yield line.removesuffix(b"\n")
        line = b""


def _decoded(path: Path, content: bytes, encoding: str) -> Iterator[str]:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileError(
            f"{short(path)}: not the {encoding.upper()} text that it begins as ({error.reason} at byte "
            f"{error.start + 1}); save the file as UTF-8"
        ) from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    yield from islice(lines, len(lines) - (lines[-1] == ""))
