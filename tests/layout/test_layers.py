"""Which room may import which: the order of ROOMS, from the ground up, and no circle among files."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from fastadasp.config.paths import PACKAGE

ROOMS = (
    "errors",
    "process",
    "files",
    "config",
    "statistics",
    "ops",
    "reduction",
    "merge",
    "data",
    "tasks",
    "engine",
    "decoding",
    "models",
    "serving",
    "measuring",
    "evaluation",
    "api",
    "selection",
    "benchmark",
    "report",
    "judging",
    "comparing",
    "grid",
    "sweep",
    "cli",
)
"""A room may import those before it; docs/design.md says what each is for."""

FACES = ("fastadasp", "fastadasp.__main__", "fastadasp.head_router", "fastadasp.runs")
"""The package's own face and spellings of commands that call `cli`."""

MODULES = {
    ".".join(("fastadasp", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}


def imported(module: str) -> set[str]:
    """Modules of the package that a module imports anywhere, for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_bytes())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{name.name}" for name in node.names]
            found |= {name if name in MODULES else str(node.module) for name in names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name for name in found if name in MODULES}


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name not in FACES and "__main__" not in name))
def test_a_module_imports_only_its_own_room_and_those_below(module: str) -> None:
    height = ROOMS.index(room(module))
    upward = [name for name in imported(module) if name in FACES or ROOMS.index(room(name)) > height]
    assert upward == [], f"{module} may import {', '.join(ROOMS[: height + 1])}"


@pytest.mark.parametrize("module", sorted({name for name in MODULES if "__main__" in name} | {"fastadasp.head_router"}))
def test_earlier_spellings_of_commands_only_call_a_command(module: str) -> None:
    assert {room(name) for name in imported(module)} == {"cli"}


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {module: imported(module) - {module} for module in MODULES}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"these files import each other in a circle: {' -> '.join(error.args[1])}")
    assert set(order) == set(MODULES)


def test_every_room_is_in_the_order_and_has_a_folder_or_file() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert found - {"__init__", "__main__", "head_router", "runs"} == set(ROOMS)
    assert not list(Path(PACKAGE, "assets").rglob("*.py"))
