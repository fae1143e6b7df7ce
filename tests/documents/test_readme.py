"""What README tells people to type exists."""

import re

import pytest

from fastadasp.config.paths import REPOSITORY
from tests.helpers.configs import composed

README = (REPOSITORY / "README.md").read_text()
MAKEFILE = (REPOSITORY / "Makefile").read_text()
EXAMPLES = re.compile(r"/(loudest|my_\w+|heard_words|mood)\.(py|yaml)$")
"""What the documents tell how to add."""
RUNS = re.findall(r"python run\.py (?!--help)([^#\n]*)", README)


def test_every_make_target_exists() -> None:
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", README, flags=re.MULTILINE))
    targets = {first or second for first, second in named}
    assert {"run", "test", "tables"} <= targets
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))


@pytest.mark.parametrize("arguments", [arguments.strip() for arguments in RUNS])
def test_every_command_line_composes(arguments: str) -> None:
    overrides = [word for word in arguments.split() if word != "-m"]
    single = [word.split(",")[0] for word in overrides]
    assert composed(*single).task


@pytest.mark.parametrize(
    "document", ["README.md", *(f"docs/{file.name}" for file in (REPOSITORY / "docs").glob("*.md"))]
)
def test_every_file_and_folder_that_is_named_exists(document: str) -> None:
    text = (REPOSITORY / document).read_text()
    paths = re.findall(r"(?<![\w/.-])((?:conf|docs|sweeps|fastadasp|experiments)/[\w/.-]*[\w/])", text)
    missing = [path for path in paths if not EXAMPLES.search(path) and not (REPOSITORY / path).exists()]
    links = re.findall(r"\]\((?!http|#)([^)#]+)", text)
    missing += [link for link in links if not (REPOSITORY / document).parent.joinpath(link).exists()]
    assert missing == []
    assert paths or document != "README.md"


def test_the_continuous_check_runs_style_types_and_tests() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert all(f"make {target}" in script.read_text() for target in ("install", "check", "test"))
