"""A W&B sweep file as overrides of one `run.py -m` command, so that Hydra's launchers and resumable folders apply."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastadasp.config.quoting import hydra_value
from fastadasp.errors import ConfigError
from fastadasp.files.text import shown
from fastadasp.files.yaml_text import read_yaml


def overrides(sweep: Path) -> list[str]:
    """Hydra overrides of a sweep file: the fixed ones of its `command`, then each parameter with all its values.

    Loggers are left to the caller. Raises ConfigError for a file that is no grid of listed values, with what it holds.
    """
    content: Any = read_yaml(sweep)
    if not isinstance(content, dict):
        raise ConfigError(f"{sweep} must hold the keys of a W&B sweep, such as `parameters`; got {shown(content)}")
    method, command = content.get("method", "grid"), content.get("command", [])
    if method != "grid":
        raise ConfigError(
            f"{sweep}: method {shown(method)} draws its points, and without W&B only `method: grid` is run, point by "
            "point; list the values and write `method: grid`, or start the file by `wandb sweep`"
        )
    if not isinstance(command, list):
        raise ConfigError(f"{sweep}: `command` must be a list of words, got {shown(command)}")
    fixed = [str(word) for word in command if not str(word).startswith(("${", "logger"))]
    parameters = dict(_parameters(sweep, "", content.get("parameters")))
    return fixed + [f"{key}={','.join(map(hydra_value, values))}" for key, values in parameters.items()]


def _parameters(sweep: Path, outer: str, nodes: Any) -> Iterator[tuple[str, list[Any]]]:
    """Each parameter's full key with its values; those of a nested parameter have its key before them."""
    if not isinstance(nodes, dict) or not nodes:
        where = f"`parameters` of {outer.rstrip('.')}" if outer else "`parameters`"
        raise ConfigError(f"{sweep}: {where} must name one setting or more, such as merge.ratio; got {shown(nodes)}")
    for name, node in nodes.items():
        key = f"{outer}{name}"
        match node:
            case {"parameters": inner}:
                yield from _parameters(sweep, f"{key}.", inner)
            case {"values": [*values]} if values:
                yield key, values
            case {"value": value}:
                yield key, [value]
            case _:
                raise ConfigError(
                    f"{sweep}: parameter {key} must list its values (`values: [...]`, or `value`), since a grid "
                    f"draws from no distribution; got {shown(node)}"
                )
