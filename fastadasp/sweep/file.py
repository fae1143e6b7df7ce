"""What a W&B sweep file says: which settings all runs have, which are searched, how, and what is best."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from fastadasp.config.messages import suggest
from fastadasp.config.quoting import hydra_value
from fastadasp.errors import ConfigError
from fastadasp.files.yaml_text import read_yaml
from fastadasp.sweep.distributions import Choice, Distribution, distribution

Point = tuple[str, ...]
"""The settings of one run, each `key=value` as Hydra's command line takes it."""


class Method(Enum):
    """How points are chosen: all of them, at random, or where earlier points were good."""

    grid = "grid"
    random = "random"
    bayes = "bayes"


@dataclass(frozen=True)
class Goal:
    """One number of a run that is to become small or large."""

    name: str
    maximize: bool


@dataclass(frozen=True)
class Sweep:
    """A checked sweep file."""

    name: str
    method: Method
    settings: tuple[str, ...]
    """Settings of all runs, from the file's `command`."""
    parameters: Mapping[str, Distribution]
    """What is searched, by its key in the configuration; nested parameters are joined by dots."""
    goal: Goal | None
    run_cap: int | None

    def grid(self) -> list[Point]:
        """Every combination of values, the last parameter changing fastest. Raises ConfigError if there is no end."""
        axes = []
        for key, one in self.parameters.items():
            try:
                axes.append([f"{key}={hydra_value(value)}" for value in one.listed])
            except ConfigError as error:
                raise ConfigError(f"{self.name}: parameter {key}: {error}; use method: random or bayes") from error
        if (size := prod(map(len, axes))) > MOST_POINTS:
            raise ConfigError(f"{self.name}: the grid has {size} points, more than {MOST_POINTS}; search it by random")
        return list(product(*axes))


MOST_POINTS = 100_000
"""Of a grid."""

TOP = ("name", "description", "program", "project", "entity", "method", "metric", "parameters", "command", "run_cap")
"""What a sweep file may hold; W&B knows more, and what is not known here is refused by its name."""

_UNSUPPORTED = {
    "early_terminate": "a run logs its score once, at its end, so that W&B has nothing to stop early by; `fastadasp "
    "sweep --prune CLIPS` scores runs after some of their clips and gives up bad ones",
    "conditions": "give each branch a sweep file of its own",
    "controller": "here the command itself chooses the points",
    "imports": "give the package's options by their names",
}


def read_sweep(file: Path) -> Sweep:
    """The sweep in a YAML file. Raises ConfigError or FileError, naming the file and the key, for what is none."""
    content: Any = read_yaml(file)
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds no sweep: it needs `parameters` and, unless it is a grid, `method`")
    try:
        return _sweep(file, content)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


def _sweep(file: Path, content: dict[str, Any]) -> Sweep:
    for key in map(str, content):
        if key in _UNSUPPORTED:
            raise ConfigError(f"{key} is not supported: {_UNSUPPORTED[key]}")
        if key not in TOP:
            raise ConfigError(f"{key} is not known; {suggest(key, TOP)}")
    if (given := content.get("method", Method.grid.value)) not in Method.__members__:
        raise ConfigError(f"method {given!r} is not known; {suggest(str(given), Method.__members__)}")
    method = Method[given]
    command = content.get("command", [])
    if not isinstance(command, list):
        raise ConfigError("`command` must list the words of the command, such as task=asr and ${args_no_hyphens}")
    words = [str(word) for word in command]
    settings = tuple(word for word in words if "=" in word and not word.startswith(("${", "logger")))
    nodes = content.get("parameters")
    parameters = dict(_parameters(nodes, ""))
    cap = content.get("run_cap")
    if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or cap < 1):
        raise ConfigError(f"run_cap must be a whole number above 0, got {cap!r}")
    return Sweep(file.stem, method, settings, parameters, _goal(content.get("metric")), cap)


def _parameters(nodes: Any, above: str) -> Iterator[tuple[str, Distribution]]:
    """All parameters by their keys, those of nested `parameters` under the key above them."""
    if not isinstance(nodes, dict) or not nodes:
        raise ConfigError(f"{above + '.' if above else ''}parameters must map at least one setting to its values")
    for name, node in nodes.items():
        key = f"{above}.{name}" if above else str(name)
        if not isinstance(node, dict):
            raise ConfigError(f"parameter {key} must be a mapping such as {{values: [1, 2]}}, got {node!r}")
        if "parameters" in node:
            if others := sorted(set(map(str, node)) - {"parameters"}):
                raise ConfigError(f"parameter {key}: {others[0]} cannot stand beside nested parameters")
            yield from _parameters(node["parameters"], key)
        else:
            yield key, distribution(f"parameter {key}", node)


def _goal(node: Any) -> Goal | None:
    if node is None:
        return None
    if not isinstance(node, dict) or "name" not in node:
        raise ConfigError(f"metric must be a mapping such as {{name: wer, goal: minimize}}, got {node!r}")
    if unknown := sorted(set(map(str, node)) - {"name", "goal"}):
        raise ConfigError(f"metric.{unknown[0]} is not supported; metric takes name and goal")
    goal = node.get("goal", "minimize")
    if goal not in ("minimize", "maximize"):
        raise ConfigError(f"metric.goal must be minimize or maximize, got {goal!r}")
    return Goal(str(node["name"]), goal == "maximize")


def fixed(one: Distribution) -> bool:
    """Whether a parameter has a single value."""
    return isinstance(one, Choice) and len(one.values) == 1
