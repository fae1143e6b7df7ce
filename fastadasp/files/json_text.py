"""JSON as users' files hold it, read strictly: what is not plain is refused in a sentence that says where it stands."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastadasp.files.text import FileError, read_text, short, shown

MAX_DEPTH = 50
"""Lists and objects inside each other; deeper ones exhaust the stack of whatever reads them next."""
MAX_DIGITS = 300
"""Of a whole number: every such number fits into a float."""

_STRIDE = 30
_LONG = re.compile(rf"\d{{{MAX_DIGITS // _STRIDE}}}")
"""Digits one after the other among every 30th character, as a number of more than 300 digits has them."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """A text that is not the JSON it should be; the message says why, in a few words and without the file's name."""


def parse(text: str, *, strict: bool = False) -> Any:
    """The value that a JSON text holds. Raises JsonError.

    Refused beyond what JSON forbids: a key that stands twice with different values, a lone surrogate (which no file can
    be written with), numbers and nesting beyond MAX_DIGITS and MAX_DEPTH. strict: also NaN, infinities (numbers too
    large for a float among them) and the character NUL, none of which another program could be expected to read.
    """
    try:
        # Asked for each number, it takes as long as all else; text[::30] is looked through in no time.
        whole = _whole_number if _LONG.search(text[::_STRIDE]) else None
        value = json.loads(text, object_pairs_hook=_object, parse_int=whole)
    except json.JSONDecodeError as error:
        raise JsonError(_worded(error)) from error
    except RecursionError as error:
        raise JsonError(f"lists or objects inside each other, more than {MAX_DEPTH} deep") from error
    if strict or text.count("{") + text.count("[") > MAX_DEPTH or _may_hold_surrogates(text):
        check(value, strict=strict)  # else nothing that it looks for can be there
    return value


def _may_hold_surrogates(text: str) -> bool:
    """Whether half a character may stand in a JSON text, as it is or escaped; told at a glance of most texts."""
    if "\\u" in text and _SURROGATE.search(text):
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def read_json(path: Path, kind: type[dict[Any, Any]] | type[list[Any]] = dict) -> Any:
    """The value in a JSON file, of type `kind`. Raises FileError, naming the file and the place in it."""
    try:
        value = parse(read_text(path))
    except JsonError as error:
        raise FileError(f"{short(path)}: {error}") from error
    if not isinstance(value, kind):
        expected = "object, as in {...}" if kind is dict else "list, as in [...]"
        raise FileError(f"{short(path)}: must hold a JSON {expected}, got {shown(value)}")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for key, value in pairs:
            if found[key] != value:
                raise JsonError(f"key {shown(key)} stands twice, with {shown(value)} and {shown(found[key])}")
    return found


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise JsonError(f"a number of {len(digits)} digits ({digits[:10]}...); at most {MAX_DIGITS} are read")
    return int(digits)


def _worded(error: json.JSONDecodeError) -> str:
    start = f"not JSON: {error.msg} at {f'line {error.lineno}, ' if error.lineno > 1 else ''}column {error.colno}"
    found = error.doc[error.pos : error.pos + 20]
    if found.startswith("\0"):
        return f"{start}, where NUL bytes stand: the file is damaged, or UTF-16 without a byte order mark"
    return f"{start}, before {shown(found)}" if found else f"{start}, where the text ends"


def check(value: Any, *, strict: bool) -> None:
    """Raise JsonError for what `parse` refuses inside a value; walks it without recursion."""
    todo = [("", value, 1)]
    while todo:
        place, item, depth = todo.pop()
        if depth > MAX_DEPTH and isinstance(item, dict | list):
            raise JsonError(f"lists or objects inside each other, more than {MAX_DEPTH} deep")
        if flaw := _flaw(item, strict):
            raise JsonError(f"{f'field {shown(place)}' if place else 'the value'} {flaw}")
        todo += ((where, inner, depth + 1) for where, inner in _inside(place, item))


def _inside(place: str, item: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a list or object, keys among them, and where they stand: `choices[1]`, `meta.speaker`."""
    if isinstance(item, dict):
        for key, inner in item.items():
            where = f"{place}.{key}" if place else key
            yield where, key
            yield where, inner
    elif isinstance(item, list):
        for index, inner in enumerate(item):
            yield f"{place}[{index}]", inner


def _flaw(item: Any, strict: bool) -> str | None:
    if isinstance(item, str):
        if not item.isascii() and any("\ud800" <= sign <= "\udfff" for sign in item):
            return "holds half of a character (a lone surrogate such as \\ud800), which no file can be written with"
        if strict and "\0" in item:
            return "holds the character NUL (\\u0000)"
    if strict and isinstance(item, float) and not math.isfinite(item):
        return f"must be a number that is finite, got {item}; write null, or leave the field out"
    return None
