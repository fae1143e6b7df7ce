"""The command line as agents of W&B write it, as Hydra reads it.

An agent prints the values of a point as Python does, and a sweep file may choose between several spellings of them:
`${args}` (`--merge.ratio=0.3`), `${args_no_equals}` (`--merge.ratio 0.3`), `${args_no_hyphens}` (`merge.ratio=0.3`),
`${args_no_boolean_flags}` (`--merge.proportional`, absent where it is false), `${args_append_hydra}` and
`${args_override_hydra}` (`+merge.ratio=0.3`, `++merge.ratio=0.3`), `${args_json}` (`{"merge.ratio": 0.3}`) and
`${args_json_file}` (a file with the same). Nested parameters come as one dict: `merge={'layer': 3, 'ratio': 0.3}`.
"""

import ast
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastadasp.config.paths import options
from fastadasp.config.quoting import hydra_value, quoted
from fastadasp.errors import ConfigError
from fastadasp.files.text import FileError
from fastadasp.files.yaml_text import read_yaml

POINT_FILE = "WANDB_SWEEP_PARAM_PATH"
"""The variable in which an agent names a YAML file with the values of its point, each of its own type."""

_KEY = re.compile(r"(?P<sign>\+{0,2}|--)(?P<key>[A-Za-z_][\w.@/]*)")
TRAINER = "hardware.trainer"
"""The node whose keys the config does not list."""
_HYDRAS = ("cfg", "package", "info", "resolve", "run", "multirun", "help", "version")
"""Options of Hydra whose names could be keys."""


def from_agent(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra's command line has them; what no agent writes stays as it is.

    Raises ConfigError for JSON that holds no settings.
    """
    point = _point(os.environ.get(POINT_FILE))
    left = list(arguments)
    found: list[str] = []
    while left:
        word = left.pop(0)
        if word.lstrip().startswith("{") or (word.endswith(".json") and "=" not in word):
            found += _settings("", "", _content(word))
            continue
        name, equals, value = word.partition("=")
        match = _KEY.fullmatch(name)
        if match is None or (match["sign"] == "--" and match["key"] in _HYDRAS):
            found.append(word)
        elif equals:
            forced = match["sign"] == "--" or (match["sign"] == "++" and options(match["key"]))  # groups take no sign
            found += _spelled("" if forced else match["sign"], match["key"], value, point)
        elif match["sign"] == "--" and match["key"] in point:
            follows = not isinstance(point[match["key"]], bool) or left[:1] in (["True"], ["False"])
            found += _spelled("", match["key"], left.pop(0) if follows and left else "true", point)
        else:
            found.append(word)
    return found


def _spelled(sign: str, key: str, value: str, point: Mapping[str, Any]) -> list[str]:
    """Overrides for one value as Python prints it. In a text of the point, commas and signs mean nothing."""
    if point.get(key) == value:
        return [f"{sign}{key}={quoted(value)}"]
    if value[:1] in ("{", "["):
        try:
            read = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return [f"{sign}{key}={value}"]  # Hydra's own spelling
        if isinstance(read, dict | list):
            return list(_settings(sign, key, read))
    return [f"{sign}{key}={value}"]


def _settings(sign: str, key: str, value: Any) -> Iterator[str]:
    """One override for each value below a node of the config; below other keys, a dict stays one."""
    if "." in key and key != TRAINER:
        yield f"{sign}{key}={hydra_value(value)}"
    else:
        yield from _below(sign, key, value)


def _below(sign: str, key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value and all(isinstance(name, str) for name in value):
        for name, one in value.items():
            yield from _below(sign, f"{key}.{name}" if key else name, one)
    else:
        yield f"{sign}{key}={hydra_value(value)}"


def _content(word: str) -> dict[str, Any]:
    """The settings of a JSON text, or of the file that holds one."""
    try:
        text = word if word.lstrip().startswith("{") else Path(word).read_text(encoding="utf-8")
        value = json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{word} stands where settings stand, and is no JSON of settings: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f'{word} holds no settings; it must be an object such as {{"merge.ratio": 0.3}}')
    return value


def _point(file: str | None) -> dict[str, Any]:
    """The point that an agent has given to this process, each value of its own type; empty without an agent."""
    if file is None or not Path(file).is_file():
        return {}
    try:
        read = read_yaml(Path(file))
    except FileError:
        return {}  # another program's file
    nodes = read.items() if isinstance(read, dict) else ()
    return {str(key): node["value"] for key, node in nodes if isinstance(node, dict) and "value" in node}
