"""A W&B sweep file without W&B: `python -m fastadasp.sweep sweeps/asr.yaml task.limit=16` runs its whole grid here.

The grid becomes one `run.py -m` command, so that Hydra's launchers and resumable run folders apply.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastadasp.errors import ConfigError, InputError
from fastadasp.files.yaml_text import read_yaml
from fastadasp.fingerprint import REPOSITORY


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
    return ["null" if value is None else str(value) for value in values]


def main(arguments: Sequence[str]) -> int:
    """Run the grid; the exit status is that of `run.py`."""
    if not arguments or not Path(arguments[0]).is_file():
        given = f"got {arguments[0]}, which is no file" if arguments else "got nothing"
        print(f"The first argument must be a sweep file (sweeps/*.yaml), {given}", file=sys.stderr)
        return 2
    try:
        grid = overrides(Path(arguments[0]))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    command = [sys.executable, str(REPOSITORY / "run.py"), "-m", *grid, *arguments[1:]]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
