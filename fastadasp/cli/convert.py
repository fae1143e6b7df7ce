"""Turn a published checkpoint into a folder for `model.path`: `fastadasp convert FAMILY CHECKPOINT OUT`.

Each family's package in `fastadasp/models` that has a file `convert.py` with a `main` is a FAMILY.
"""

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import fastadasp.models
from fastadasp.config.messages import readable_errors, suggest


def families() -> dict[str, str]:
    """The first line of each family's converter by the family's name, read without importing any."""
    (folder,) = map(Path, fastadasp.models.__path__)
    files = sorted(folder.glob("*/convert.py"))
    return {file.parent.name: (ast.get_docstring(ast.parse(file.read_bytes())) or "").split("\n")[0] for file in files}


def main(arguments: Sequence[str]) -> None:
    """Run the converter that the first argument names; exit with 2 where there is none of that name."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, families()))
        listed = "\n".join(f"  {name:<{width}}  {described}" for name, described in families().items())
        print(f"usage: fastadasp convert FAMILY CHECKPOINT OUT (or: fastadasp convert FAMILY --help)\n\n{listed}")
        sys.exit(0 if arguments else 2)
    family, *rest = arguments
    if family not in families():
        print(f"fastadasp convert {family}: there is no such family; {suggest(family, families())}", file=sys.stderr)
        sys.exit(2)
    with readable_errors():
        import_module(f"fastadasp.models.{family}.convert").main(rest)
