"""Audio files of every kind that the tests need, as bytes, made from one signal."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

FIXTURES = Path(__file__).parents[1] / "data" / "audio" / "fixtures"
RATE = 16_000


def sweep(rate: int = RATE, seconds: float = 1.0) -> NDArray[np.float64]:
    """A sine whose frequency rises from 300 Hz by 400 Hz a second: no part of it is like another."""
    time = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * (300 * time + 200 * time * time))


def written(
    format: str, subtype: str, rate: int = RATE, signal: NDArray[np.float64] | None = None, **more: str
) -> bytes:
    """The file that libsndfile writes of `signal`, or of the sweep."""
    file = io.BytesIO()
    soundfile.write(file, sweep(rate) if signal is None else signal, rate, format=format, subtype=subtype, **more)
    return file.getvalue()


def replaced(content: bytes, *patches: tuple[int, bytes]) -> bytes:
    """`content` with other bytes at some offsets."""
    changed = bytearray(content)
    for offset, patch in patches:
        changed[offset : offset + len(patch)] = patch
    return bytes(changed)


def sphere(coding: str = "pcm", big: bool = False, count: int | None = None) -> bytes:
    """A NIST SPHERE file of the sweep, as the Linguistic Data Consortium writes them."""
    samples = (sweep() * 32767).astype(">i2" if big else "<i2")
    width, body = 2, samples.tobytes()
    if coding == "ulaw":
        width, body = 1, written("RAW", "ULAW")
    fields = [
        f"channel_count -i 1\nsample_count -i {len(samples) if count is None else count}\nsample_rate -i {RATE}",
        f"sample_n_bytes -i {width}\nsample_byte_format -s{width} {'10' if big else '01'}"[
            : None if width == 2 else -1
        ],
        f"sample_coding -s{len(coding)} {coding}\nend_head\n",
    ]
    return ("NIST_1A\n   1024\n" + "\n".join(fields)).encode().ljust(1024) + body


def mp3(xing: bool = True, mode: str = "CONSTANT", rate: int = RATE) -> bytes:
    """An MP3 file, with or without the first frame, which announces how many follow.

    CONSTANT: of the sweep. VARIABLE: of a loud second of noise after a second of silence, which takes fewer bits.
    """
    noise = 0.5 * np.random.default_rng(0).standard_normal(rate).clip(-1, 1)
    signal = sweep(rate) if mode == "CONSTANT" else np.concatenate([np.zeros(rate), noise])
    content = written("MP3", "MPEG_LAYER_III", rate, signal, bitrate_mode=mode)
    return content if xing else content[_first_frame(content) :]


def _first_frame(content: bytes) -> int:
    """Where the second frame begins: the sync word of the first, again with the same version, layer and rate."""
    at = content.find(b"\xff" + content[1:2], 4)
    while content[at + 2] & 0x0C != content[2] & 0x0C:
        at = content.find(b"\xff" + content[1:2], at + 1)
    return at


WHOLE: dict[str, Callable[[], bytes]] = {
    "pcm16.wav": lambda: written("WAV", "PCM_16"),
    "pcm24.wav": lambda: written("WAV", "PCM_24"),
    "extensible.wav": lambda: written("WAVEX", "PCM_16"),
    "mulaw.wav": lambda: written("WAV", "ULAW"),
    "alaw.wav": lambda: written("WAV", "ALAW"),
    "float.wav": lambda: written("WAV", "FLOAT"),
    "ima.wav": lambda: written("WAV", "IMA_ADPCM"),
    "ms.wav": lambda: written("WAV", "MS_ADPCM"),
    "gsm.wav": lambda: written("WAV", "GSM610"),
    "big.wav": lambda: written("WAV", "PCM_16", endian="BIG"),
    "long.rf64": lambda: written("RF64", "PCM_16"),
    "sony.w64": lambda: written("W64", "PCM_16"),
    "apple.aiff": lambda: written("AIFF", "PCM_16"),
    "float.aifc": lambda: written("AIFF", "FLOAT"),
    "sun.au": lambda: written("AU", "ULAW"),
    "sun_pcm.au": lambda: written("AU", "PCM_16", endian="LITTLE"),
    "core.caf": lambda: written("CAF", "PCM_16"),
    "alac.caf": lambda: written("CAF", "ALAC_16"),
    "free.flac": lambda: written("FLAC", "PCM_16"),
    "vorbis.ogg": lambda: written("OGG", "VORBIS"),
    "opus.ogg": lambda: written("OGG", "OPUS"),
    "announced.mp3": lambda: mp3(),
    "bare.mp3": lambda: mp3(xing=False),
    "corpus.sph": lambda: sphere(),
    "telephone.sph": lambda: sphere("ulaw"),
    "big.sph": lambda: sphere(big=True),
    "blaster.voc": lambda: written("VOC", "PCM_16"),
    "amiga.iff": lambda: written("SVX", "PCM_16"),
    "htk.htk": lambda: written("HTK", "PCM_16"),
    "atari.avr": lambda: written("AVR", "PCM_16"),
}
"""Files that libsndfile reads, with or without help."""

BY_FFMPEG = tuple(sorted(path.name for path in FIXTURES.iterdir() if path.suffix != ".md"))
"""Files in FIXTURES, which need PyAV or torchcodec."""


def chunk(content: bytes, name: bytes) -> int:
    """Where the size of the chunk `name` stands."""
    return content.index(name) + len(name)


def unknown_lengths() -> dict[str, bytes]:
    """Whole files as programs write them into a pipe, where they cannot go back to fill in the length."""
    found: dict[str, bytes] = {}
    sizes = {"zero": 0, "most": 0xFFFFFFFF, "ffmpeg_even": 0xFFFFFFFE, "sox": 0x7FFFF000, "alsa": 0x80000000}
    for name in ("pcm16.wav", "pcm24.wav", "extensible.wav", "mulaw.wav", "gsm.wav", "ima.wav"):
        content = WHOLE[name]()
        for label, size in sizes.items():
            field = struct.pack("<I", size)
            found[f"{label}_{name}"] = replaced(content, (4, field), (chunk(content, b"data"), field))
    big = WHOLE["big.wav"]()
    found["most_big.wav"] = replaced(big, (4, b"\xff" * 4), (chunk(big, b"data"), b"\xff" * 4))
    rf64 = WHOLE["long.rf64"]()
    for label, field in (("zero", bytes(8)), ("most", b"\xff" * 8)):
        at = chunk(rf64, b"ds64") + 4
        found[f"{label}.rf64"] = replaced(rf64, (at, field * 2), (chunk(rf64, b"data"), b"\xff" * 4))
    w64 = WHOLE["sony.w64"]()
    at = w64.index(b"data\xf3\xac") + 16
    found["zero.w64"] = replaced(w64, (16, bytes(8)), (at, bytes(8)))
    found["most.w64"] = replaced(w64, (16, b"\xff" * 8), (at, b"\xff" * 7 + b"\x7f"))
    for label, frames, size in (("zero", 0, 0), ("sox", 0x7F000000 // 2, 0x7F000008), ("most", 0xFFFFFFFF, 0xFFFFFFFF)):
        aiff = WHOLE["apple.aiff"]()
        patches = (4, struct.pack(">I", size)), (chunk(aiff, b"COMM") + 6, struct.pack(">I", frames))
        found[f"{label}.aiff"] = replaced(aiff, *patches, (chunk(aiff, b"SSND"), struct.pack(">I", size)))
    for label, size in (("zero", 0), ("most", 0xFFFFFFFF)):
        found[f"{label}.au"] = replaced(WHOLE["sun.au"](), (8, struct.pack(">I", size)))
    caf = WHOLE["core.caf"]()
    found["most.caf"] = replaced(caf, (chunk(caf, b"data"), b"\xff" * 8))
    flac = WHOLE["free.flac"]()
    for label, total in (("zero", 0), ("most", (1 << 36) - 1)):
        packed = int.from_bytes(flac[18:26], "big") >> 36 << 36 | total
        found[f"{label}.flac"] = replaced(flac, (18, packed.to_bytes(8, "big")))
    found["zero.sph"] = sphere(count=0)
    return found
