"""JSON of users' files: strict where a value has no plain meaning."""

from pathlib import Path
from typing import Any

import pytest

from fastadasp.files.json_text import JsonError, parse, read_json
from fastadasp.files.text import FileError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": [true, null, "ü", "\\u00fc"]}', {"a": 1, "b": [True, None, "ü", "ü"]}),
        ('"\\ud83d\\ude00"', "😀"),
        ('{"a": {"x": 1}, "a": {"x": 1}}', {"a": {"x": 1}}),
        ("9" * 300, int("9" * 300)),
        ("[" * 50 + "]" * 50, None),
        ("[1e999, NaN]", None),
        ('"\\u0000"', "\0"),
    ],
)
def test_what_is_plain_is_read(text: str, value: Any) -> None:
    assert value is None or parse(text) == value
    parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: Expecting value at column 1, where the text ends"),
        ("{'a': 1}", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ('{"a": 1,\n "b": 2,\n}', "at line 3, column 1"),
        ('{"a": 1} {"a": 2}', "not JSON: Extra data at column 10"),
        ("\0\0\0\0", "NUL bytes stand"),
        ('{"a": 1, "a": 2}', "key 'a' stands twice, with 1 and 2"),
        ('{"x": [{"a": 1, "a": null}]}', "key 'a' stands twice"),
        ("[" * 51 + "]" * 51, "more than 50 deep"),
        ("[" * 100_000, "more than 50 deep"),
        ('{"a":' * 5000, "more than 50 deep"),
        ('{"a": ' + "9" * 5000 + "}", r"a number of 5000 digits \(9999999999\.\.\.\)"),
        ('{"a": {"b": ["x", "\\ud800"]}}', r"field 'a\.b\[1\]' holds half of a character"),
        ('{"\\uDFFF": 1}', "holds half of a character"),
    ],
)
def test_what_is_not_plain_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(JsonError, match=message) as caught:
        parse(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "field 'a' must be a number that is finite, got nan"),
        ('{"a": [1e999]}', r"field 'a\[0\]' must be a number that is finite, got inf"),
        ('{"a": "x\\u0000"}', "field 'a' holds the character NUL"),
        ('{"a\\u0000": 1}', "holds the character NUL"),
        ("-Infinity", "the value must be a number that is finite"),
    ],
)
def test_strict_reading_also_refuses_what_other_programs_cannot_read(text: str, message: str) -> None:
    parse(text)
    with pytest.raises(JsonError, match=message):
        parse(text, strict=True)


def test_a_file_of_another_type_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("[1]")
    assert read_json(file, list) == [1]
    with pytest.raises(FileError, match=rf"{file}: must hold a JSON object, as in \{{\.\.\.\}}, got \[1\]"):
        read_json(file)
    file.write_text('{"a": 1,\n}')
    with pytest.raises(FileError, match=rf"{file}: not JSON: .* at line 2, column 1"):
        read_json(file)
