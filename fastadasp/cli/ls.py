"""List methods, models, tasks or any other group's options: `fastadasp ls methods`."""

import argparse
from collections.abc import Sequence
from inspect import getdoc, getmodule
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import OmegaConf

from fastadasp.config.messages import readable_errors
from fastadasp.config.paths import CONF, options, search_path

GROUPS = {"methods": "merge", "models": "model", "tasks": "task", "corpora": "data"}
"""What users call some groups."""


def main(arguments: Sequence[str]) -> None:
    """Print the name, the site (of methods) and one line of each option of a group."""
    groups = sorted({path.name for place in (CONF, *search_path()) for path in place.iterdir() if path.is_dir()})
    known = sorted({*GROUPS, *(group for group in groups if options(group))})
    parser = argparse.ArgumentParser(prog="fastadasp ls", description="List the options of a group, one line each.")
    parser.add_argument("group", nargs="?", choices=known, default="methods", help="default: methods")
    group = parser.parse_args(arguments).group
    with readable_errors():
        rows = described(GROUPS.get(group, group))
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    for *cells, line in rows:
        print(*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), line, sep="  ")


def described(group: str) -> list[tuple[str, ...]]:
    """A row for each option of a group: its name, the site of a method, and what it is in one line."""
    rows = []
    for name, file in sorted(options(group).items()):
        target = _target(file, group)
        module = getmodule(target) if group == "merge" and target is not None else None
        own = module is not None and module.__name__.rpartition(".")[2] == name  # further settings of a method's class
        summary = _first_line(module) if own else _comment(file)
        site = (_sites(target),) if group == "merge" else ()
        rows.append((name, *site, summary))
    return rows


def _target(file: Path, group: str) -> Any:
    """The class that an option's `_target_` names; None for an option without one."""
    content: Any = OmegaConf.load(file)
    name = content.get("_target_") or (content.get(group) or {}).get("_target_")
    return None if name is None else get_class(name)


def _sites(target: Any) -> str:
    """Where a method acts: at the input, inside the decoder, on the cache; of a composed one, all of its stages."""
    if target is None:
        return ""
    from fastadasp.reduction.composite import Composite

    if not issubclass(target, Composite):
        return str(target.site.name)
    return ", ".join(stage.site.name for stage in target().stages()) or "any"


def _first_line(module: Any) -> str:
    return (getdoc(module) or "").split("\n")[0]


def _comment(file: Path) -> str:
    """The comment at the top of a YAML file, but for Hydra's own."""
    lines = [line[1:].strip() for line in file.read_text(encoding="utf-8").split("\n") if line.startswith("#")]
    return next((line for line in lines if not line.startswith("@package")), "")
