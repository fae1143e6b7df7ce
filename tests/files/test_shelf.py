"""Long sequences lie on the disk, and are used like short ones."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastadasp.config.paths import REPOSITORY
from fastadasp.files import shelf
from fastadasp.files.shelf import Mapped, Shelf, kept, mapped


def double(item: tuple[int, str]) -> str:
    return item[1] * 2


ITEMS = [(number, "ä" * (number % 7)) for number in range(3000)]


def test_short_sequences_are_lists_and_long_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST_IN_MEMORY", 10)
    assert kept(iter(ITEMS[:10])) == ITEMS[:10]
    long = kept(iter(ITEMS[:11]))
    assert isinstance(long, Shelf) and list(long) == ITEMS[:11]
    assert mapped(ITEMS, double) == [double(item) for item in ITEMS]
    assert isinstance(mapped(long, double), Mapped)


def test_a_shelf_is_used_like_a_list() -> None:
    long, doubled = Shelf(iter(ITEMS)), Mapped(Shelf(iter(ITEMS)), double)
    for found, expected in ((long, ITEMS), (doubled, [double(item) for item in ITEMS])):
        assert len(found) == len(expected)
        assert list(found) == expected
        assert [found[at] for at in (0, -1, 1024, 17)] == [expected[at] for at in (0, -1, 1024, 17)]
        assert found[1000:2100] == expected[1000:2100] and found[5:1:-2] == expected[5:1:-2] and found[4000:] == []
        for beyond in (3000, -3001):
            with pytest.raises(IndexError, match=r"position .* of a sequence of 3000"):
                found[beyond]
    assert list(Shelf(iter([]))) == []


def last(found: shelf.Lazy[str]) -> str:
    return found[-1]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_the_same_file(method: str) -> None:
    doubled = Mapped(Shelf(iter(ITEMS)), double)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(last, (doubled,)) == double(ITEMS[-1])
    assert list(pickle.loads(pickle.dumps(doubled))) == list(doubled)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the file goes when the process ends by itself")
def test_nothing_is_left_of_a_killed_process(tmp_path: Path) -> None:
    script = (
        "from fastadasp.files.shelf import Shelf\n"
        "import sys; s = Shelf(iter(range(5000))); print(s[4000], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "4000\n"
        process.send_signal(signal.SIGKILL)
    assert not list(tmp_path.iterdir())
