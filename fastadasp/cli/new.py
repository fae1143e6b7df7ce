"""Write the files of a new method from a template: `fastadasp new method loudest`."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from fastadasp.config.messages import readable_errors
from fastadasp.config.paths import CONF, PACKAGE, REPOSITORY, options
from fastadasp.errors import ConfigError

TEMPLATES = PACKAGE / "assets" / "templates"

KINDS = {"method": "merge", "task": "task", "model": "model"}
"""The group of options that a kind of thing belongs to."""

FOLDERS = {"method": "merge", "task": "tasks", "model": "models"}
"""The folder of the package that holds its files."""


def main(arguments: Sequence[str]) -> None:
    """Write one Python file and one YAML file, and say how to run them."""
    kinds = sorted(kind for kind in KINDS if (TEMPLATES / f"{kind}.py.txt").is_file())
    parser = argparse.ArgumentParser(prog="fastadasp new", description="Write the files of something new.")
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("name", help="its option, in lower case, such as loudest")
    parser.add_argument("--into", type=Path, help="a folder of your own, instead of the project's checkout")
    given = parser.parse_args(arguments)
    with readable_errors():
        written = write(given.kind, given.name, given.into)
    print(*(f"Wrote {file}" for file in written), sep="\n")
    choice = f"{KINDS[given.kind]}={given.name}"
    if given.into is None:
        print(f"Try it:  python run.py {choice} merge.ratio=0.3\nTest it: python -m pytest -k {given.name}")
    else:
        folder = given.into.resolve()
        print(f"Try it:  PYTHONPATH={folder} fastadasp run --config-dir {folder} {choice} merge.ratio=0.3")


def write(kind: str, name: str, into: Path | None) -> list[Path]:
    """The files written for a new `kind` of option `name`, in the checkout or in a folder of the user's own.

    Raises ConfigError for a name that is no lower-case identifier or is taken, and where there is no checkout.
    """
    group = KINDS[kind]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfigError(f"{name!r} cannot name an option: give lower-case letters, digits and underscores")
    if name in options(group):
        raise ConfigError(f"{group}={name} exists already: {options(group)[name]}; choose another name")
    if into is None and CONF != REPOSITORY / "conf":
        raise ConfigError("the installed package is not a checkout; name a folder of your own with --into")
    module = name if into is not None else f"fastadasp.{FOLDERS[kind]}.{name}"
    words = {"Class": "".join(map(str.capitalize, name.split("_"))), "Title": name.replace("_", " ").capitalize()}
    files = {
        "py": PACKAGE / FOLDERS[kind] / f"{name}.py" if into is None else into / f"{name}.py",
        "yaml": (CONF if into is None else into) / group / f"{name}.yaml",
    }
    for suffix, file in files.items():
        if file.exists():
            raise ConfigError(f"{file} exists already; choose another name")
        template = Template((TEMPLATES / f"{kind}.{suffix}.txt").read_text(encoding="utf-8"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(template.substitute(words, name=name, module=module), encoding="utf-8")
    return list(files.values())
