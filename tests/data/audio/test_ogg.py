"""Ogg pages: checksums, order, ends and chains, which decoders pass over."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fastadasp.data.audio import AudioError, CutOffError, audio_seconds, read_audio
from fastadasp.data.audio.containers.ogg import _crc
from tests.helpers.audio_files import RATE, sweep, written


def long_vorbis() -> bytes:
    noise = 0.1 * np.random.default_rng(0).standard_normal(9 * RATE)
    return written("OGG", "VORBIS", RATE, sweep(RATE, 9.0) + noise)


def pages(content: bytes) -> list[bytes]:
    """The pages, found by their lengths."""
    found = []
    while content:
        table = content[27 : 27 + content[26]]
        size = 27 + len(table) + sum(table)
        found.append(content[:size])
        content = content[size:]
    return found


def slow_crc(page: bytes) -> int:
    """Ogg's checksum bit by bit, as RFC 3533 has it."""
    value = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 1 << 31 else value << 1) & 0xFFFFFFFF
    return value


def sealed(page: bytes) -> bytes:
    """The page with the checksum that belongs to it."""
    return page[:22] + slow_crc(page).to_bytes(4, "little") + page[26:]


def read(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return read_audio(path, max_seconds=30)


def test_the_checksum_is_that_of_the_standard() -> None:
    for page in pages(long_vorbis()):
        assert _crc(page) == slow_crc(page) == int.from_bytes(page[22:26], "little")
        assert zlib.crc32(page) != slow_crc(page)


def test_a_damaged_or_missing_page_is_noticed_which_libsndfile_leaves_out_without_a_word(tmp_path: Path) -> None:
    found = pages(long_vorbis())
    assert len(found) > 6
    broken = bytearray(found[4])
    broken[-50] ^= 1
    for name, content, reason in (
        ("flipped", [*found[:4], bytes(broken), *found[5:]], "checksum of the page"),
        ("missing", [*found[:4], *found[5:]], "pages are missing"),
        ("torn", [*found[:-1], found[-1][:-10]], "last page is incomplete"),
        ("unmarked", found[:-1], "no page is marked as its last"),
    ):
        with pytest.raises(AudioError, match=reason):
            read(tmp_path / f"{name}.ogg", b"".join(content))
        if name != "missing":
            assert soundfile.info(tmp_path / f"{name}.ogg").frames <= 9 * RATE, "libsndfile opens it"


def test_a_chain_of_recordings_is_read_to_its_last_link(tmp_path: Path) -> None:
    one = written("OGG", "VORBIS")
    single = read(tmp_path / "one.ogg", one)
    other = pages(one)
    second = b"".join(sealed(page[:14] + b"\x07\0\0\0" + page[18:]) for page in other)
    chained = read(tmp_path / "two.ogg", one + second)
    np.testing.assert_array_equal(chained, np.concatenate([single, single]))
    assert audio_seconds(tmp_path / "two.ogg") == 2.0
    with pytest.raises(CutOffError):
        read(tmp_path / "torn.ogg", one + second[:-30])
    with pytest.raises(AudioError, match="chain of unlike streams"):
        read(tmp_path / "unlike.ogg", one + written("OGG", "OPUS"))


def test_two_streams_side_by_side_are_refused(tmp_path: Path) -> None:
    first, *rest = pages(written("OGG", "VORBIS"))
    twin = [sealed(page[:14] + b"\x09\0\0\0" + page[18:]) for page in (first, *rest)]
    with pytest.raises(AudioError, match="2 audio streams side by side"):
        read(tmp_path / "twins.ogg", b"".join([first, twin[0], *rest, *twin[1:]]))
