"""A W&B sweep file as overrides of one `run.py -m` command, so that Hydra's launchers and resumable folders apply."""

from pathlib import Path
from typing import Any

from fastadasp.config.quoting import hydra_value
from fastadasp.errors import ConfigError
from fastadasp.files.yaml_text import read_yaml


def overrides(sweep: Path) -> list[str]:
    """Hydra overrides of a sweep file: the fixed ones of its `command`, then each parameter with all its values.

    Loggers are left to the caller. Raises ConfigError for a file that is no grid of listed values.
    """
    content: Any = read_yaml(sweep)
    try:
        fixed = [str(word) for word in content["command"] if not str(word).startswith(("${", "logger"))]
        parameters = {key: _values(node) for key, node in content["parameters"].items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{sweep} is not a grid ({error!r}): it needs a `command` list and `parameters` with `value` or `values`"
        ) from error
    return fixed + [f"{key}={','.join(values)}" for key, values in parameters.items()]


def _values(node: dict[str, Any]) -> list[str]:
    values = node["values"] if "values" in node else [node["value"]]
    return [hydra_value(value) for value in values]
