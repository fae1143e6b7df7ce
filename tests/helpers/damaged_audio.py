"""Damaged audio files by a fixed seed, and what reading them gives: `python -m tests.helpers.damaged_audio 500`.

The number says how many damaged files are made of every kind of file, and a further word gives another seed; the tests
try some of them.
"""

import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fastadasp.data.audio import AudioError, AudioWarning, read_audio
from fastadasp.data.audio.decoders import ffmpeg
from tests.helpers.audio_files import BY_FFMPEG, FIXTURES, WHOLE, unknown_lengths


def kinds() -> dict[str, bytes]:
    """Every kind of file that can be read here, whole, by name."""
    by_ffmpeg = {name: (FIXTURES / name).read_bytes() for name in BY_FFMPEG if ffmpeg.installed()}
    return {**{name: make() for name, make in WHOLE.items()}, **by_ffmpeg, **unknown_lengths()}


def damaged(name: str, content: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` times a damage and the damaged file: changed bytes, no end, a hole, a part that comes twice.

    name: the seed.
    """
    draw = random.Random(name)
    for _ in range(count):
        match draw.choices(("changed", "cut", "hole", "twice"), (6, 2, 1, 1))[0]:
            case "changed":
                changed = bytearray(content)
                for _ in range(draw.choice([1, 1, 2, 5, 20])):
                    place = draw.randrange(min(len(changed), draw.choice([32, 64, 200, len(changed)])))
                    flipped = changed[place] ^ 1 << draw.randrange(8)
                    changed[place] = draw.choice([0, 127, 128, 255, draw.randrange(256), flipped])
                yield "changed", bytes(changed)
            case "cut":
                yield "cut", content[: draw.randrange(len(content))]
            case kind:
                first, last = sorted(draw.sample(range(len(content)), 2))
                first, last = (first, last) if kind == "hole" else (last, first)
                yield kind, content[:first] + content[last:]


def outcome(path: Path, content: bytes) -> str:
    """`read`, or `refused`; AssertionError where what comes back is neither samples nor one short sentence."""
    path.write_bytes(content)
    try:
        samples = read_audio(path, max_seconds=10)
    except AudioError as error:
        message = str(error)
        assert path.name in message and "\n" not in message and len(message) < 600, message
        return "refused"
    assert samples.dtype == np.float32 and np.isfinite(samples).all() and 0 < len(samples) <= 160_000
    return "read"


def main() -> None:
    """Try many and print what came out."""
    warnings.simplefilter("ignore", AudioWarning)
    seed = "".join(sys.argv[2:])
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in kinds().items():
            for damage, changed in damaged(name + seed, content, int(sys.argv[1])):
                counts[damage, outcome(Path(folder, "damaged"), changed)] += 1
    for damage in ("changed", "cut", "hole", "twice"):
        print(f"{damage}: {counts[damage, 'read']} read, {counts[damage, 'refused']} refused")
    print(f"{counts.total()} damaged files of {len(kinds())} kinds, no other outcome")


if __name__ == "__main__":
    main()
