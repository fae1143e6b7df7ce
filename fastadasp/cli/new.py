"""Write the files of a new method, task, model or corpus from a template: `fastadasp new method loudest`."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from fastadasp.config.messages import readable_errors, suggest
from fastadasp.config.own_folders import import_root
from fastadasp.config.paths import CONF, PACKAGE, REPOSITORY, options
from fastadasp.errors import ConfigError

TEMPLATES = PACKAGE / "assets" / "templates"
_OWN_IMPORTS = re.compile(r"(^from fastadasp.*\n)+", re.MULTILINE)
"""Imports that are sorted once the new module's name is known, as the style check asks for."""


@dataclass(frozen=True)
class Kind:
    """Where the files of a kind of thing lie in the checkout, and how to run one."""

    group: str
    """Group of the configuration: the folder of the YAML file, and the key on the command line."""
    folder: str
    """Folder of the Python file, below the package; that of its test, below `tests/`."""
    run: str
    """Settings of a run that shows the new thing, besides its option."""

    @property
    def module(self) -> str:
        """The package that the Python file belongs to."""
        return f"fastadasp.{self.folder.replace('/', '.')}"


KINDS = {
    "method": Kind("merge", "merge", "merge.ratio=0.3"),
    "task": Kind("task", "tasks", "task.limit=8"),
    "model": Kind("model", "models", "task=sqa task.limit=8"),
    "corpus": Kind("data", "data/corpora", "task=asr data.root=FOLDER"),
}


def main(arguments: Sequence[str]) -> None:
    """Write the files, and say how to run and to test what is new."""
    parser = argparse.ArgumentParser(prog="fastadasp new", description="Write the files of something new.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("name", help="its option, in lower case, such as loudest")
    parser.add_argument("--like", metavar="OPTION", help="write only a YAML file, a copy of this option's")
    parser.add_argument("--into", type=Path, help="a folder of your own, instead of the project's checkout")
    given = parser.parse_args(arguments)
    kind: Kind = KINDS[given.kind]
    with readable_errors():
        written = write(given.kind, given.name, given.into, given.like)
    print(*(f"Wrote {file}" for file in written), sep="\n")
    own = "" if given.into is None else f" --config-dir {given.into}"
    commands = {"Try it:": f"fastadasp run{own} {kind.group}={given.name} {kind.run}"}
    if given.kind == "corpus":
        commands["Check it:"] = f"fastadasp data check {given.name} root=FOLDER{own}"
    for test in (file for file in written if file.name.startswith("test_")):
        path = "" if given.into is None else f"PYTHONPATH={import_root(given.into)[0]} "
        commands["Test it:"] = f"{path}python -m pytest {test}"
    print(*(f"{what:<9} {command}" for what, command in commands.items()), sep="\n")


def write(kind: str, name: str, into: Path | None = None, like: str | None = None) -> list[Path]:
    """The files written for a new thing of a kind: YAML file, Python file and test; with `like`, the YAML file alone.

    name: its option. into: a folder of the user's own; None: the checkout. like: an option whose YAML file is copied.
    Raises ConfigError for a name that is no lower-case identifier or is taken, for an option that does not exist, and
    where there is no checkout.
    """
    group = KINDS[kind].group
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfigError(f"{name!r} cannot name an option: give lower-case letters, digits and underscores")
    if name in options(group):
        raise ConfigError(f"{group}={name} exists already: {options(group)[name]}; choose another name")
    if into is None and CONF != REPOSITORY / "conf":
        raise ConfigError("the installed package is not a checkout; name a folder of your own with --into")
    if like is not None and like not in options(group):
        raise ConfigError(f"--like {like}: {group}={like} does not exist; {suggest(like, options(group))}")
    if like:
        contents = {_yaml(group, name, into): _copied(name, group, like)}
    else:
        contents = dict(filled(kind, name, into).values())
    for file in contents:
        if file.exists():
            raise ConfigError(f"{file} exists already; choose another name")
    for file, content in contents.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return list(contents)


def filled(kind: str, name: str, into: Path | None = None) -> dict[str, tuple[Path, str]]:
    """The files of a template for a new thing called `name`, by part (`yaml`, `py`, `test`): where each lies, its text.

    into: a folder of the user's own; None: the checkout.
    """
    of = KINDS[kind]
    package = of.module if into is None else import_root(into)[1]
    words = {
        "name": name,
        "Class": "".join(map(str.capitalize, name.split("_"))),
        "Title": name.replace("_", " ").capitalize(),
        "module": f"{package}.{name}".removeprefix("."),
    }
    code = PACKAGE / of.folder if into is None else into
    tests = REPOSITORY / "tests" / of.folder if into is None else into
    files = {
        "yaml": _yaml(of.group, name, into),
        "py": code / f"{name}.py",
        "test": tests / f"test_{name}.py",
    }
    return {part: (file, _text(f"{kind}.{part}.txt", words)) for part, file in files.items()}


def _yaml(group: str, name: str, into: Path | None) -> Path:
    return (CONF if into is None else into) / group / f"{name}.yaml"


def _text(template: str, words: Mapping[str, str]) -> str:
    text = Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(words)
    return _OWN_IMPORTS.sub(lambda block: "".join(sorted(block[0].splitlines(keepends=True))), text)


def _copied(name: str, group: str, like: str) -> str:
    """The YAML file of an option with another description, for a new option that differs in its settings alone."""
    lines = options(group)[like].read_text(encoding="utf-8").splitlines(keepends=True)
    package = [line for line in lines[:1] if line.startswith("# @package")]
    kept = lines[next(place for place, line in enumerate(lines) if not line.startswith("#")) :]
    described = f"# {name}: {group}={like} with other settings. Say here in one line what it is.\n"
    return "".join([*package, described, *kept])
