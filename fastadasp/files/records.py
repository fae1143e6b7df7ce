"""From JSON to the dataclass that it should be, every field's type checked."""

import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from fastadasp.files.json_text import JsonError
from fastadasp.files.text import short, shown

T = TypeVar("T")


def record(kind: type[T], value: Any, *, others: bool = False) -> T:
    """`value`, an object as `files.json_text.parse` gives it, as an instance of the dataclass `kind`.

    Field types may be str, int, float, bool, None, object, dataclasses, lists, tuples of one type, mappings and unions
    of these. Lists become tuples where the dataclass has tuples. others: pass over fields that the dataclass does not
    have, here and inside. Raises JsonError for a field that is unknown, missing or of another type.
    """
    if not isinstance(value, dict):
        raise JsonError(f"must be an object, as in {{...}}, got {shown(value)}")
    hints, plain, needed = _schema(cast(Hashable, kind))
    if not others and (unknown := [name for name in value if name not in hints]):
        raise JsonError(f"unknown field {shown(unknown[0])}; known are {short(', '.join(hints), 300)}")
    if missing := [name for name in needed if name not in value]:
        raise JsonError(f"field {missing[0]!r} is missing")
    return kind(
        **{
            name: item if type(item) in plain[name] else _typed(hints[name], item, name, others)
            for name, item in ((name, value[name]) for name in hints if name in value)
        }
    )


@cache
def _schema(kind: Any) -> tuple[dict[str, Any], dict[str, frozenset[type]], list[str]]:
    """Types of all fields, those types of each that need no further look, and the names of those without a default."""
    hints = get_type_hints(kind)
    own = [field for field in fields(kind) if field.init]
    needed = [field.name for field in own if field.default is MISSING and field.default_factory is MISSING]
    plain = {field.name: frozenset(_without_parts(hints[field.name])) for field in own}
    return {field.name: hints[field.name] for field in own}, plain, needed


def _without_parts(hint: Any) -> list[type]:
    """The types of values that are right as they stand."""
    origin, inner = _parts(hint)
    if origin in (Union, types.UnionType):
        optional = [type(None)] if type(None) in inner else []
        return [*_without_parts(next(kind for kind in inner if kind is not type(None))), *optional]
    return [hint] if hint in (str, int, float, bool, type(None)) else []


def _typed(hint: Any, value: Any, place: str, others: bool) -> Any:
    """`value` as the type `hint` asks for."""
    if type(value) is hint or hint is object or hint is Any:
        return value
    origin, inner = _parts(hint)
    if origin in (Union, types.UnionType):
        options = [kind for kind in inner if kind is not type(None)]
        missing = value is None and len(options) < len(inner)
        return None if missing else _typed(options[0], value, place, others)
    if is_dataclass(hint) and isinstance(hint, type):
        return _nested(hint, value, place, others)
    plain = origin or hint
    if inner and _plainly(plain, inner[-1] if plain in (dict, Mapping) else inner[0], value):
        return tuple(value) if plain is tuple else value
    if plain in (list, tuple) and isinstance(value, list):
        return plain(_typed(inner[0], item, f"{place}[{index}]", others) for index, item in enumerate(value))
    if plain in (dict, Mapping) and isinstance(value, dict):
        return {key: _typed(inner[1], item, f"{place}.{key}", others) for key, item in value.items()}
    if plain is float and type(value) is int:
        return value  # as it is: written again, the file stays the same
    if plain in (list, tuple, dict, Mapping) or type(value) is not plain:
        raise JsonError(f"field {shown(place)} must be {_NAMES.get(plain, 'an object')}, got {shown(value)}")
    return value


@cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without its parameters (None if it has none), and these."""
    return get_origin(hint), get_args(hint)


def _plainly(outer: Any, inner: Any, value: Any) -> bool:
    """Whether a list or mapping and all its parts are of their plain types, at a glance: there may be millions."""
    if isinstance(value, list) and outer in (list, tuple):
        parts = set(map(type, value))
    elif isinstance(value, dict) and outer in (dict, Mapping):
        parts = set(map(type, value.values()))
    else:
        return False
    return inner in (object, Any) or parts <= ({float, int} if inner is float else {inner})


def _nested(kind: Any, value: Any, place: str, others: bool) -> Any:
    try:
        return record(kind, value, others=others)
    except JsonError as error:
        raise JsonError(f"in {place}: {error}") from error


_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
    list: "a list",
    tuple: "a list",
}
