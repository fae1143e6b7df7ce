"""YAML of users' files: safe types only, and nothing that a later reader would choke on."""

from pathlib import Path

import pytest

from fastadasp.files.text import FileError
from fastadasp.files.yaml_text import read_yaml

LAUGHS = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_plain_values_aliases_and_merged_mappings_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes("\ufeffa: &x {b: 1}\r\nc: {<<: *x, b: 2}\r\nd: [*x, ü, .nan]\r\n".encode())
    value = read_yaml(file)
    assert (value["c"], value["d"][:2]) == ({"b": 2}, [{"b": 1}, "ü"])
    file.write_text("[" * 50 + "1" + "]" * 50)
    assert str(read_yaml(file)).count("[") == 50


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", r", line 1, column 5 is not YAML"),
        ("a: 1\nb: {c: 1, c: 1}", ", line 2, column 11 is not YAML: key 'c' stands twice"),
        ("a:\n\t- b", ", line 2, column 1 is not YAML"),
        ("!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("? [1]\n: 2", "found unhashable key"),
        ("a: \x07", "is not YAML: .*special characters are not allowed"),
        ("a: 2001-99-99", "holds a value that cannot be read .month must be"),
        ("a: " + "1" * 5000, "holds a value that cannot be read"),
        ("&a [*a]", "an alias that leads back to itself"),
        ("[" * 3000, "more than 50 deep"),
        ("[" * 51 + "]" * 51, "more than 50 deep"),
        (LAUGHS, "has more than 100000 values"),
    ],
)
def test_what_cannot_be_used_is_refused_by_place(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(content)
    with pytest.raises(FileError, match=rf"^{file}.*{message}") as caught:
        read_yaml(file)
    assert len(str(caught.value)) < 400
