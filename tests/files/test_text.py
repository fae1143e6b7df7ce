"""Text files as any program writes them: encodings, line ends, and what is refused."""

import gzip
from pathlib import Path

import pytest

from fastadasp.files import text
from fastadasp.files.text import FileError, read_lines, read_text, short, shown

LINES = ["one", "zwei ü", "", "三\u2028drei\x85"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_lines_are_the_same_in_every_encoding_and_with_every_line_end(
    tmp_path: Path, encoding: str, end: str, last: bool
) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes((end.join(LINES) + (end if last else "")).encode(encoding))
    assert list(read_lines(file)) == list(enumerate(LINES, start=1))
    packed = tmp_path / "lines.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert list(read_lines(packed)) == list(enumerate(LINES, start=1))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\n\n", ["a", ""]),
        (b"abc\n\nd", ["abc", "", "d"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "b"]),
        (b"\xff\xfe", []),
    ],
)
def test_short_files_and_marks_inside_joined_files(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    assert [line for _, line in read_lines(file)] == lines
    assert read_text(file) == "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nü".encode("latin-1"), r"line 2: not UTF-8 text \(.* at byte 1 of the line\); save the file as UTF-8"),
        ("{'ü'}\n".encode("utf-16-le"), "line 1: not UTF-8 text, which may be UTF-16 "),
        (b"\xff\xfea", r"not the UTF-16 text that it begins as \(truncated data"),
        (b"x" * 5000, "line 1: longer than"),
    ],
)
def test_other_encodings_and_endless_lines_are_refused_by_line(
    tmp_path: Path, content: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "MAX_LINE", 4096)
    file = tmp_path / "x"
    file.write_bytes(content)
    with pytest.raises(FileError, match=rf"{file}.*{message}"):
        list(read_lines(file))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", "damaged, cannot be unpacked as gzip"),
        (gzip.compress(b"a\nb\n", mtime=0)[:-9], "damaged, cannot be unpacked as gzip"),
    ],
)
def test_damaged_gzip_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(FileError, match=message):
        list(read_lines(tmp_path / "x.gz"))


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "is a folder"), ("gone", "does not exist"), ("n" * 300, "cannot be read"), ("a\0b", "does not exist")],
)
def test_what_is_no_file_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read_text(tmp_path / name)


def test_a_file_that_breaks_off_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise OSError(5, "Input/output error")

    (tmp_path / "x").write_bytes(b"abcdef")
    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(FileError, match=r"x: cannot be read \(Input/output error\)"):
        read_text(tmp_path / "x")


def test_messages_show_little_of_long_values_and_nothing_that_moves_the_cursor() -> None:
    assert len(shown("x" * 10**6)) < 100
    assert len(shown({"k" * 1000: [["x" * 1000] * 100] * 100})) <= 120
    assert len(short("x" * 10**6)) == 159
    assert short("a\nb\x1b[31m\u202e\ud800") == r"a b\x1b[31m\u202e\ud800"
    assert shown("as it is") == "'as it is'"
