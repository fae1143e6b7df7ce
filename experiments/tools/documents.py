"""Writes what is generated in the documents and for type checkers: `make docs` (`--check` only compares).

`fastadasp/__init__.pyi` names all exports; `docs/reference/settings.md` and `commands.md` are written whole; the lists
of methods in `README.md` and `docs/methods.md`, and the examples in `docs/add-a-*.md`, stand between two marks each.
"""

import argparse
import ast
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from enum import Enum
from inspect import getsource
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import OmegaConf

import fastadasp
from fastadasp.cli.ls import described
from fastadasp.cli.main import commands
from fastadasp.cli.new import filled
from fastadasp.config.paths import CONF, PACKAGE, REPOSITORY

METHODS = REPOSITORY / "docs" / "methods.md"
README = REPOSITORY / "README.md"
NOTE = "<!-- Written by `make docs`: change the docstrings that it is made of, not this file. -->\n"


def stub() -> str:
    """`fastadasp/__init__.pyi`: every name with the module that defines it."""
    modules = fastadasp._modules()
    head = '"""The names that `__init__.py` loads on first use, as `make docs` writes them for type checkers."""'
    names = sorted(modules, key=lambda name: (modules[name], name))
    lines = [f"from fastadasp.{modules[name]} import {name} as {name}" for name in names]
    return "\n".join([head, "", *lines, ""])


def index() -> str:
    """The table of all methods: option, site, and the first line of its module."""
    rows = [f"| `{name}` | {site} | {linked(line)} |" for name, site, line in described("merge")]
    return "\n".join(["| `merge=` | site | method |", "|---|---|---|", *rows, ""])


def linked(line: str) -> str:
    """A line in which arXiv numbers are links."""
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", line)


def catalogue() -> str:
    """README's list of methods: those of each site, with their papers."""
    sites = {"input": "Before the decoder", "decoder": "Inside the decoder", "cache": "In the key-value cache"}
    parts = []
    for site, title in sites.items():
        found = [(name, line) for name, where, line in described("merge") if where == site and name != "none"]
        parts += [f"**{title}** (site `{site}`)", "", *(f"- `{name}`: {linked(line)}" for name, line in found), ""]
    composed = [(name, line) for name, where, line in described("merge") if where not in sites]
    parts += ["**At several sites**", "", *(f"- `{name}`: {linked(line)}" for name, line in composed), ""]
    return "\n".join(parts)


def settings() -> str:
    """All keys of all options of the groups that dataclasses describe."""
    parts = [NOTE, "# Settings", ""]
    parts += [
        "Every key below can be set on the command line, `merge.ratio=0.3`. The keys that all methods share stand in",
        "`conf/config.yaml` and are explained first.",
        "",
    ]
    parts += ["## merge: keys of every method", "", *_rows("fastadasp.reduction.method.MergeMethod", "merge")]
    for group in ("merge", "model", "task", "data", "hardware", "generation"):
        parts += [f"## {group}", ""]
        seen: set[str] = set()
        for option in sorted((CONF / group).glob("*.yaml")):
            content: Any = OmegaConf.load(option)
            target = content.get("_target_") or (content.get(group) or {}).get("_target_")
            if target is None or target in seen:
                continue
            seen.add(target)
            parts += [f"### `{group}={option.stem}`", "", f"`{target}`", "", *_rows(target, group)]
    return "\n".join(parts)


def _rows(target: str, group: str) -> list[str]:
    """A table of a dataclass's own fields; those of `MergeMethod` are listed once for all methods."""
    kind = get_class(target)
    shared = set() if target.endswith(".MergeMethod") else _shared()
    own = [field for field in fields(kind) if group != "merge" or field.name not in shared]
    explained = {name: text for base in reversed(kind.__mro__) for name, text in _docs(base)}
    rows = [f"| `{group}.{f.name}` | {_default(f)} | {_cell(explained.get(f.name, ''))} |" for f in own]
    return ["| key | default | meaning |", "|---|---|---|", *rows, ""] if rows else ["No keys of its own.", ""]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _shared() -> set[str]:
    from fastadasp.reduction.method import MergeMethod

    return {field.name for field in fields(MergeMethod)}


def _default(field: Any) -> str:
    if field.default is MISSING:
        return "must be given" if field.default_factory is MISSING else f"`{field.default_factory()!r}`"
    return f"`{field.default.name if isinstance(field.default, Enum) else field.default!r}`"


def _docs(kind: type) -> Iterator[tuple[str, str]]:
    """The docstring under each annotated field of a class."""
    if not kind.__module__.startswith("fastadasp"):
        return
    source = ast.parse(getsource(importlib.import_module(kind.__module__)))
    (node,) = (item for item in source.body if isinstance(item, ast.ClassDef) and item.name == kind.__name__)
    for field, text in zip(node.body, node.body[1:], strict=False):
        named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if named and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            yield field.target.id, str(text.value.value)  # type: ignore[union-attr]


def listing() -> str:
    """All commands."""
    rows = [f"| `fastadasp {name}` | {line} |" for name, line in commands().items()]
    head = ["# Commands", "", "`fastadasp COMMAND --help` explains the arguments of each.", ""]
    return "\n".join([NOTE, *head, "| command | does |", "|---|---|", *rows, ""])


EXAMPLES = {"method": "loudest", "task": "heard_words", "model": "my_family", "corpus": "my_corpus"}
"""What the examples in docs/add-a-*.md are called."""


def example(kind: str) -> str:
    """The Python file and the YAML file that `fastadasp new` writes, as blocks of code."""
    files = filled(kind, EXAMPLES[kind])
    parts = []
    for part, language in (("py", "python"), ("yaml", "yaml")):
        file, text = files[part]
        parts += [f"`{file.relative_to(REPOSITORY)}`:", "", f"```{language}", text.rstrip("\n"), "```", ""]
    return "\n".join(parts)


def between(text: str, name: str, new: str) -> str:
    """`text` with what stands between the two marks of a name replaced."""
    begin, end = (f"<!-- {name}: {word} -->\n" for word in ("begin", "end"))
    before, rest = text.split(begin)
    return before + begin + new + end + rest.split(end)[1]


def generated() -> dict[Path, str]:
    """The text of every file that is written whole or in part."""
    text = METHODS.read_text(encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    pages = {kind: REPOSITORY / "docs" / f"add-a-{kind}.md" for kind in EXAMPLES}
    return {
        **{page: between(page.read_text("utf-8"), "example", example(kind)) for kind, page in pages.items()},
        PACKAGE / "__init__.pyi": stub(),
        METHODS: between(text, "index", index()),
        README: between(readme, "methods", catalogue()),
        REPOSITORY / "docs" / "reference" / "settings.md": settings(),
        REPOSITORY / "docs" / "reference" / "commands.md": listing(),
    }


def stale() -> list[Path]:
    """The files whose text is not what would be written."""
    return [file for file, text in generated().items() if not file.is_file() or file.read_text("utf-8") != text]


def main() -> None:
    """Write the files, or name the stale ones and exit with 1."""
    parser = argparse.ArgumentParser(description="Write the generated documents.")
    parser.add_argument("--check", action="store_true", help="only compare")
    if parser.parse_args().check:
        if files := stale():
            sys.exit(f"run `make docs`: {', '.join(str(file.relative_to(REPOSITORY)) for file in files)} differ")
        return
    for file, text in generated().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
