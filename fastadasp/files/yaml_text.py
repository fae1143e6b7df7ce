"""YAML files that this project reads itself (grids, sweeps); Hydra reads those of `conf/`."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from fastadasp.files.json_text import MAX_DEPTH
from fastadasp.files.text import FileError, read_text, short, shown

MAX_VALUES = 100_000
"""Values of one file, those behind aliases (`*name`) counted at each use."""


def read_yaml(path: Path, most: int = MAX_VALUES) -> Any:
    """The value in a YAML file, of plain types alone. Raises FileError, naming the file and the line.

    Refused beyond what YAML forbids: a key that stands twice in a mapping, aliases that lead back to themselves or
    unfold into more than `most` values, and nesting beyond MAX_DEPTH.
    """
    text = read_text(path)
    try:
        value = yaml.load(text, Loader=_Loader)
        _check(value, most)
    except yaml.YAMLError as error:
        raise FileError(f"{_place(path, error)} is not YAML: {_reason(error)}") from error
    except RecursionError as error:
        raise FileError(
            f"{short(path)}: lists or mappings inside each other, more than {MAX_DEPTH} deep, or an alias that leads "
            "back to itself"
        ) from error
    except ValueError as error:  # a date that no calendar has, a number of 5,000 digits
        reason, _, _ = str(error).partition(";")
        raise FileError(f"{short(path)}: holds a value that cannot be read ({short(reason)})") from error
    return value


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which takes the last of two equal keys without a word, made to refuse them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping as PyYAML does, and refuse a key that stands twice."""
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen: set[tuple[str, str]] = set()
        for key in own:
            name = (key.tag, str(key.value))
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f"key {shown(key.value)} stands twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _check(value: Any, most: int, depth: int = 1, counted: int = 0) -> int:
    """How many values there are, `counted` of them before; RecursionError or ValueError where that is too much."""
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        raise RecursionError
    counted += 1
    if counted > most:
        raise ValueError(f"it has more than {most} values, those behind aliases counted at each use")
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        counted = _check(part, most, depth + 1, counted)
    return counted


def _place(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return short(path) if mark is None else f"{short(path)}, line {mark.line + 1}, column {mark.column + 1}"


def _reason(error: yaml.YAMLError) -> str:
    return short(getattr(error, "problem", None) or str(error))
