"""Packed shards: many clips in one `audio.npy` (int16 mono, 16 kHz) and one line of `manifest.jsonl` for each."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .augment import to_int16
from .voices import RATE, Audio


def write_shard(folder: Path, clips: Iterable[tuple[Audio, dict[str, Any]]]) -> float:
    """Write one shard and return its hours. It is complete when, and only when, its `manifest.jsonl` exists.

    Each line holds the clip's fields, `audio` (the array's file), `start` and `samples` (its place there), `seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed, lines, start = [], [], 0
    for number, (audio, fields) in enumerate(clips):
        packed.append(to_int16(audio))
        place = {"audio": "audio.npy", "start": start, "samples": len(audio), "seconds": round(len(audio) / RATE, 3)}
        lines.append(json.dumps({"id": f"{folder.name}-{number:05d}", **place, **fields}, ensure_ascii=False))
        start += len(audio)
    np.save(folder / "audio.npy", np.concatenate(packed))
    unfinished = folder / "manifest.jsonl.part"
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    unfinished.rename(folder / "manifest.jsonl")
    return start / RATE / 3600


def is_complete(folder: Path) -> bool:
    return (folder / "manifest.jsonl").exists()


def read_shard(folder: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The memory-mapped samples and the manifest lines of a finished shard."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return np.load(folder / "audio.npy", mmap_mode="r"), [json.loads(line) for line in lines]
