"""What does an hour of audio take to read? Peak memory and seconds, as a whole and in windows.

`python -m experiments.tools.hour` writes an hour of noise with pauses as WAV (44.1 kHz, stereo), FLAC (48 kHz) and Ogg
Vorbis (16 kHz), and reads each in a process of its own: as one waveform of 16 kHz, and in windows of 30 s. For Linux.
"""

import argparse
import json
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

FORMATS = {"a.wav": (44100, 2), "a.flac": (48000, 1), "a.ogg": (16000, 1)}


def write(file: Path, seconds: int, rate: int, channels: int) -> None:
    """Noise in which every tenth of a second before a full one is quiet."""
    random = np.random.default_rng(0)
    quiet = np.where(np.arange(rate) < 0.9 * rate, 1.0, 0.001)[:, None]
    with soundfile.SoundFile(file, "w", rate, channels) as out:
        for _ in range(seconds):
            out.write((random.uniform(-0.5, 0.5, (rate, channels)) * quiet).astype(np.float32))


def read(file: Path, way: str, pipe: Any) -> None:
    """Read `file` and tell how many samples it has, seconds of processor time, and memory above the start in MiB."""
    from fastadasp.data.audio import read_audio, windows

    next(iter(windows(file, 1.0, 0.1)))  # imports, and libraries' own memory
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back
    before, began = _memory_mib("VmRSS"), time.process_time()
    if way == "whole":
        count = len(read_audio(file, 24 * 3600))
    else:
        count = sum(len(window.samples) for window in windows(file, 30.0))
    pipe.send((count, time.process_time() - began, _memory_mib("VmHWM") - before))


def _memory_mib(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Read all formats in both ways; a row for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--out", type=Path, default=Path("experiments/results/scale/hour.jsonl"))
    given = parser.parse_args(arguments)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, given.out.open("w", encoding="utf-8") as out:
        for name, (rate, channels) in FORMATS.items():
            file = Path(folder) / name
            write(file, given.seconds, rate, channels)
            for way in ("whole", "windows"):
                ours, theirs = context.Pipe()
                process = context.Process(target=read, args=(file, way, theirs))
                process.start()
                theirs.close()
                count, cpu_s, peak_mib = ours.recv()
                process.join()
                row = {"file": name, "rate": rate, "channels": channels, "way": way, "seconds": count / 16000}
                row |= {"cpu_s": round(cpu_s, 2), "peak_mib": round(peak_mib, 1)}
                print(row, flush=True)
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    sys.exit(main())
