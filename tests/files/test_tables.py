"""Tables: the escapes of pandas, the quotes of spreadsheets, and rows that do not fit."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadasp.files.tables import read_csv, read_tsv
from fastadasp.files.text import FileError

CELLS = st.text(st.characters(exclude_characters="\r\ufeff", exclude_categories=("Cs",)), max_size=12)
ROWS = st.lists(st.tuples(CELLS.filter(str.strip), CELLS), max_size=4)


@given(rows=ROWS)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    file = tmp_path_factory.mktemp("table") / "x.tsv"
    with file.open("w", encoding="utf-8", newline="") as content:
        writer = csv.writer(content, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n")
        writer.writerows([("first", "second"), *rows])
    found = [tuple(row.values()) for _, row in read_tsv(file, ("first", "second"), escaped=True)]
    assert found == rows
    with file.open("w", encoding="utf-8", newline="") as content:
        csv.writer(content, lineterminator="\n").writerows([("first", "second"), *rows])
    assert [tuple(row.values()) for _, row in read_csv(file)] == rows


def test_quotes_and_backslashes_of_an_unescaped_table_stay(tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_bytes(b'\xef\xbb\xbfa\tb\r\n"Hi", he said\tC:\\temp\r\n\r\nlast\t"\r\n')
    assert list(read_tsv(file)) == [(2, {"a": '"Hi", he said', "b": "C:\\temp"}), (4, {"a": "last", "b": '"'})]


def test_rows_are_numbered_by_the_line_on_which_they_begin(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('a,b\n"two\nlines",1\nlast,2\n')
    assert list(read_csv(file)) == [(2, {"a": "two\nlines", "b": "1"}), (4, {"a": "last", "b": "2"})]


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text("a\n" + "x" * 200_000 + "\n")
    assert len(next(read_tsv(file))[1]["a"]) == 200_000


def test_a_table_without_names_of_columns_gets_them(tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text("1\t2\n")
    assert list(read_tsv(file, header=("a", "b"))) == [(1, {"a": "1", "b": "2"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the table is empty"),
        ("x,y\n1,2\n", "line 1: no column a; the columns are x, y"),
        ("a,a\n", "line 1: column 'a' stands twice"),
        ("a,b\n1,2\n1,2,3\n", "line 3: 3 cells, but 2 columns; it begins with '1'"),
        ('a,b\n"x', "line 2: cannot be read as a table"),
        ('a,b\n"x"y,z\n', "line 2: cannot be read as a table"),
    ],
)
def test_what_does_not_fit_is_refused_by_line(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text(content)
    with pytest.raises(FileError, match=rf"{file}.*{message}"):
        list(read_csv(file, ("a",)))
