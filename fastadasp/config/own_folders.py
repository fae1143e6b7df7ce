"""Folders of a user's own that add options and classes to every command: `fastadasp COMMAND --config-dir FOLDER`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fastadasp.errors import ConfigError

VARIABLE = "FASTADASP_CONFIG_DIR"
"""Environment variable that names such folders for all commands, separated as in PATH."""

FLAGS = ("--config-dir", "-cd")
"""How a command line names such a folder; Hydra's own spellings."""


def own_folders() -> list[Path]:
    """The folders in use. Their modules can be imported from here on, in this process."""
    folders = [Path(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    return folders


def take_folders(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command without `--config-dir FOLDER`, which this process and those it starts use from now on.

    Raises ConfigError for a folder that does not exist, and where no folder follows.
    """
    left, given = [], []
    todo = iter(arguments)
    for argument in todo:
        flag, is_joined, folder = argument.partition("=")
        if flag not in FLAGS:
            left.append(argument)
        else:
            given.append(_checked(flag, folder if is_joined else next(todo, "")))
    if given:
        for variable in (VARIABLE, "PYTHONPATH"):  # the second one is for modules that other processes import
            known = [name for name in os.environ.get(variable, "").split(os.pathsep) if name]
            os.environ[variable] = os.pathsep.join(dict.fromkeys([*known, *given]))
    return left


def _checked(flag: str, folder: str) -> str:
    if not Path(folder).expanduser().is_dir() or not folder:
        raise ConfigError(
            f"{flag} must be followed by a folder that exists, with options in folders such as merge/ and task/ and "
            f"the Python files that they name; got {folder!r}"
        )
    return str(Path(folder).expanduser().resolve())
