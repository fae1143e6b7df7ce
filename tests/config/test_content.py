"""Files are known by what they hold; the cache saves time and changes nothing else."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastadasp.config import content
from fastadasp.config.content import MISSING, digest, digests

OLD = 1_700_000_000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for the test."""
    monkeypatch.setenv(content.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(content, "_SETTLED_NS", -(10**12))  # files need not grow old
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Which files are read."""
    seen: list[Path] = []
    read = content._read

    def noting(file: Path) -> object:
        seen.append(file)
        return read(file)

    monkeypatch.setattr(content, "_read", noting)
    yield seen


def make(folder: Path, **files: bytes) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_digests_are_those_of_the_content_in_the_order_asked_for(cache: Path, tmp_path: Path) -> None:
    a, b = make(tmp_path / "x", a=b"one", b=b"two" * 10**6)
    (c,) = make(tmp_path / "y", c=b"")
    expected = [sha(b"two" * 10**6), sha(b""), sha(b"one"), sha(b"one"), MISSING]
    for _ in range(2):
        assert digests([b, c, a, a, tmp_path / "none"]) == expected
    assert digest(a) == sha(b"one")
    assert digests([]) == []


def test_a_second_call_reads_nothing_and_a_changed_file_is_read_again(
    cache: Path, tmp_path: Path, reads: list[Path]
) -> None:
    files = make(tmp_path / "x", a=b"one", b=b"two")
    digests(files)
    assert sorted(reads) == sorted(files)
    reads.clear()
    digests(files)
    assert not reads
    files[0].write_bytes(b"eno")
    assert digests(files) == [sha(b"eno"), sha(b"two")] and reads == [files[0]]


def test_equal_size_and_time_do_not_deceive(cache: Path, tmp_path: Path) -> None:
    """As after `cp -p` or a copy that keeps times, over the file or in its place."""
    (file,) = make(tmp_path / "x", a=b"one")
    os.utime(file, (OLD, OLD))
    assert digest(file) == sha(b"one")
    file.write_bytes(b"two")
    os.utime(file, (OLD, OLD))
    assert digest(file) == sha(b"two")
    (other,) = make(tmp_path / "x", b=b"six")
    os.utime(other, (OLD, OLD))
    other.replace(file)
    assert digest(file) == sha(b"six")


def test_what_was_written_just_now_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[Path]
) -> None:
    """A second change within the clock's tick of the file system would leave the times as they are."""
    monkeypatch.setenv(content.CACHE_VARIABLE, str(tmp_path / "cache"))
    (file,) = make(tmp_path / "x", a=b"one")
    for _ in range(2):
        digest(file)
    assert reads == [file, file]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "folder", "other"])
def test_a_damaged_cache_is_rebuilt(cache: Path, tmp_path: Path, reads: list[Path], damage: str) -> None:
    (file,) = make(tmp_path / "x", a=b"one")
    digest(file)
    (kept,) = (cache / "content").iterdir()
    data = kept.read_bytes()
    position = data.index(sha(b"one").encode())
    if damage == "folder":
        kept.unlink()
        kept.mkdir()
    else:
        kept.write_bytes({
            "empty": b"", "cut": data[: len(data) // 2], "text": b"\xff\x00 no json {" * 9,
            "flipped": data[:position] + (b"0" if data[position] != 48 else b"1") + data[position + 1 :],
            "other": data.replace(b'"version": 1', b'"version": 9'),
        }[damage])  # fmt: skip
    reads.clear()
    assert digest(file) == sha(b"one") and reads == [file]
    if damage != "folder":
        assert digest(file) == sha(b"one") and reads == [file]


def test_no_place_for_a_cache_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = make(tmp_path / "x", a=b"one")
    (tmp_path / "file").write_text("in the way")
    for place in ("", str(tmp_path / "file"), "/proc/none", "/dev/null/cache"):
        monkeypatch.setenv(content.CACHE_VARIABLE, place)
        assert digest(file) == sha(b"one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "x"]


def test_names_that_are_no_text_and_names_that_no_disk_holds(cache: Path, tmp_path: Path, reads: list[Path]) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav"))
    odd.write_bytes(b"one")
    for _ in range(2):
        assert digests([odd, Path("a\0b"), tmp_path / ("n" * 5000), tmp_path]) == [sha(b"one"), *[MISSING] * 3]
    assert reads.count(odd) == 1


def test_several_threads_share_a_cache(cache: Path, tmp_path: Path) -> None:
    files = make(tmp_path / "x", **{f"f{number}": b"%d" % number for number in range(60)})
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(digests(files[::2] + files))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [sha(b"%d" % number) for number in (*range(0, 60, 2), *range(60))]
    assert results == [expected] * 6
    assert [path.suffix for path in (cache / "content").iterdir()] == [".json"], "no draft is left"


def test_files_that_are_gone_leave_the_cache(cache: Path, tmp_path: Path) -> None:
    files = make(tmp_path / "x", a=b"one", b=b"two")
    digests(files)
    files[0].unlink()
    digests(make(tmp_path / "x", c=b"six"))
    (kept,) = (cache / "content").iterdir()
    assert b'"a"' not in kept.read_bytes() and b'"b"' in kept.read_bytes() and b'"c"' in kept.read_bytes()
