"""Which modules can change an answer: those that a run names, and all that these import. Imports none of them.

The name of a run (`fingerprint`) covers the source of these modules, so that an edited method or engine starts a new
run instead of reading the answers of the old one.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastadasp.errors import InputError

STANDARD_LIBRARY = sysconfig.get_path("stdlib")


class SourceError(InputError):
    """An import cannot be resolved to a source file."""


def source_files(modules: Iterable[str], others_may_lack: bool = False) -> dict[str, Path]:
    """The source file of each of `modules` and of everything local that they import, by dotted module name.

    Followed are imports of this package and of the user's own files, inside functions too; installed libraries are
    not. A package stands for its `__init__.py`, which counts only where a module takes names from it.
    others_may_lack: leave out those of `modules` that do not exist, for building the config to report.
    Raises SourceError where a module imports something of this package that does not exist.
    """
    found: dict[str, Path] = {}
    todo: dict[str, Path | None] = dict.fromkeys(modules)
    while todo:
        module, importer = todo.popitem()
        file = locate(module)
        if file is not None:
            found[module] = file
            todo |= {name: file for name in imports(module, file) if name not in found}
        elif (importer is not None or not others_may_lack) and _is_ours(module):
            raise SourceError(
                f"{importer or 'the run'} imports {module}, which has no source file, so the run cannot be given a "
                "name that changes with its code; correct the import"
            )
    return found


@cache
def locate(module: str) -> Path | None:
    """The local source file of a module; None for libraries, built-in modules and names that are no module."""
    top, *parts = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        files = [Path(spec.origin)] if spec.origin and not parts else []
    else:
        places = [Path(folder, *parts) for folder in spec.submodule_search_locations]
        files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    file = next((file for file in files if file.is_file() and file.suffix == ".py"), None)
    return None if file is None or (not _is_ours(module) and _is_library(file)) else file


def imports(module: str, file: Path) -> frozenset[str]:
    """The modules that a source file imports from local packages; a name taken from a module stands for the module."""
    return frozenset(_imports(module, file))


def _imports(module: str, file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise SourceError(f"{file}, line {error.lineno}: this is not Python ({error.msg}); correct the file") from error
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if _may_be_local(name.name))
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, file, node)
            if not _may_be_local(source):
                continue
            names = [f"{source}.{name.name}" for name in node.names]
            modules = [name for name in names if locate(name) is not None]
            yield from modules
            if len(modules) < len(names):
                yield source


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a source file but those under `if TYPE_CHECKING:`, which only type checkers read."""
    yield node
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        children: Iterable[ast.AST] = node.orelse
    else:
        children = ast.iter_child_nodes(node)
    for child in children:
        yield from _executed(child)


def _absolute(module: str, file: Path, node: ast.ImportFrom) -> str:
    """The dotted name that a `from ... import` takes its names from."""
    if not node.level:
        return node.module or ""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _may_be_local(module: str) -> bool:
    top = module.partition(".")[0]
    return _is_ours(module) or (top not in sys.stdlib_module_names and locate(top) is not None)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == __name__.partition(".")[0]


def _is_library(file: Path) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(file.parts) or file.is_relative_to(STANDARD_LIBRARY)
