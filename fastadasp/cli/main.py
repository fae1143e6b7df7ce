"""`fastadasp COMMAND ...`: each file of this folder that has a `main` is a command, described by its first line."""

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from fastadasp.config.messages import readable_errors, suggest
from fastadasp.config.own_folders import take_folders

OTHERS = frozenset({"__init__", "main", "launch"})
"""Files of this folder that are no commands."""


def commands() -> dict[str, str]:
    """The first line of each command's file by the command's name, read without importing any."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("*.py")):
        if file.stem not in OTHERS:
            described = ast.get_docstring(ast.parse(file.read_bytes())) or ""
            found[file.stem] = described.split("\n")[0]
    return found


def usage() -> str:
    """What `fastadasp --help` prints."""
    width = max(map(len, commands()))
    lines = [f"  {name:<{width}}  {described}" for name, described in commands().items()]
    return "\n".join(
        [
            "Token reduction inside speech language models: run it, compare it, and put it into your own model.",
            "",
            "  fastadasp COMMAND ...          fastadasp COMMAND --help",
            "",
            *lines,
            "",
            "With --config-dir FOLDER, a command also knows the options and Python files of a folder of your own.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the first argument names; exit with 2 where there is none of that name."""
    with readable_errors():
        given = take_folders(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(usage())
        sys.exit(0 if given else 2)
    name, *rest = given
    if name not in commands():
        print(f"fastadasp {name}: there is no such command; {suggest(name, commands())}", file=sys.stderr)
        sys.exit(2)
    sys.argv[0] = f"fastadasp {name}"
    import_module(f"fastadasp.cli.{name}").main(rest)
