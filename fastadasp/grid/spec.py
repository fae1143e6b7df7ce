"""What a grid file says: methods against amounts on several tasks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.config.paths import options
from fastadasp.errors import ConfigError
from fastadasp.files.text import FileError, home
from fastadasp.files.yaml_text import read_yaml
from fastadasp.reduction.method import MergeMethod

FULL_TOKENS = "full tokens"


@dataclass(frozen=True)
class Row:
    """One method of the grid."""

    name: str
    settings: list[str]
    """Hydra overrides."""
    tasks: list[str] = field(default_factory=list)
    """Where it takes part; empty for all tasks."""
    amount: str = "merge.flops_reduction"
    """The key that gets the grid's amounts."""
    amounts: list[float] = field(default_factory=list)
    """This row's own amounts; empty for the grid's."""


@dataclass(frozen=True)
class Grid:
    """The content of a grid file; its methods are checked one by one, as Row."""

    title: str
    settings: list[str]
    """Hydra overrides of all runs."""
    tasks: list[str]
    amounts: list[float]
    full_tokens: list[str]
    """Hydra overrides of the runs that all others are compared with."""
    methods: list[dict[str, Any]]
    all_but: list[str] | None = None
    """Add a row for every method of `conf/merge` that no row names, but for these; None adds none. So a new method is
    in the tables without an edit of the grid."""

    def rows(self) -> list[Row]:
        """The rows that the file names, then those of further methods by the names of their options."""
        rows: list[Row] = [_built("Row", row, f"methods[{index}]") for index, row in enumerate(self.methods)]
        if self.all_but is None:
            return rows
        if unknown := sorted(set(self.all_but) - options("merge").keys()):
            raise ConfigError(f"all_but names methods that do not exist: {', '.join(unknown)}; remove them")
        named = {setting.removeprefix("merge=") for row in rows for setting in row.settings}
        return [*rows, *(_row_of(option) for option in sorted(options("merge").keys() - named - set(self.all_but)))]

    def cells(self) -> Iterator["Cell"]:
        """All runs, task by task, full tokens first."""
        rows = self.rows()
        for task in self.tasks:
            settings = (*self.settings, f"task={task}")
            yield Cell(task, FULL_TOKENS, None, (*settings, *self.full_tokens))
            for row in rows:
                for amount in (row.amounts or self.amounts) if task in (row.tasks or self.tasks) else ():
                    yield Cell(task, row.name, amount, (*settings, *row.settings, f"{row.amount}={amount}"))


@dataclass(frozen=True)
class Cell:
    """One run of a grid."""

    task: str
    name: str
    amount: float | None
    settings: tuple[str, ...]
    """Hydra overrides."""

    def __str__(self) -> str:
        return f"{self.task}: {self.name}" + ("" if self.amount is None else f", {self.amount:g}")


def read(file: Path) -> Grid:
    """The grid in a YAML file; ConfigError for one that is none, naming every key that is wrong."""
    file = home(file)
    if not file.is_file():
        raise ConfigError(f"{file} is no file; name a grid such as experiments/grids/tiny.yaml")
    try:
        content = read_yaml(file)
    except FileError as error:
        raise ConfigError(str(error)) from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold a mapping with title, settings, tasks, amounts, full_tokens and methods")
    grid: Grid = _built("Grid", content, file.stem)
    return grid


def _row_of(option: str) -> Row:
    """The row of a method without settings; one that shortens caches alone gets amounts of the cache."""
    method: MergeMethod = build(compose(f"merge={option}").merge, "merge")
    cache_alone = {stage.site.name for stage in method.stages()} == {"cache"}
    return Row(option, [f"merge={option}"], amount="merge.ratio" if cache_alone else Row.amount)


def _built(kind: str, content: dict[str, Any], key: str) -> Any:
    return build(OmegaConf.create({"_target_": f"{__name__}.{kind}", **content}), key)
