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
        root, _ = import_root(folder)
        if str(root) not in sys.path:
            sys.path.append(str(root))
    return folders


def import_root(folder: Path) -> tuple[Path, str]:
    """The folder from which Python imports the files of `folder`, and the package that they belong to.

    A folder with an `__init__.py` is a package: the files of `/code/mine/` are imported from `/code` as `mine.NAME`.
    The package of a plain folder is empty.
    """
    root, package = folder.resolve(), list[str]()
    while (root / "__init__.py").is_file():
        package.insert(0, root.name)
        root = root.parent
    return root, ".".join(package)


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
        _add(VARIABLE, given)
        _add("PYTHONPATH", [import_root(folder)[0] for folder in given])  # for processes that import the modules first
    return left


def _add(variable: str, folders: Sequence[Path]) -> None:
    known = [name for name in os.environ.get(variable, "").split(os.pathsep) if name]
    os.environ[variable] = os.pathsep.join(dict.fromkeys([*known, *map(str, folders)]))


def _checked(flag: str, folder: str) -> Path:
    if not Path(folder).expanduser().is_dir() or not folder:
        raise ConfigError(
            f"{flag} must be followed by a folder that exists, with options in folders such as merge/ and task/, and "
            f"the Python files that these name; got {folder!r}"
        )
    return Path(folder).expanduser().resolve()
