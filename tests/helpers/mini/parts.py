"""What all miniatures are made of: short tones, texts and tables."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE = 16_000


def tone(path: Path, seconds: float = 0.5, hertz: float = 220.0, rate: int = RATE) -> Path:
    """A file with a tone that rises, so that no two stretches of it are alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * time_s * (1 + time_s)), rate)
    return path


def text(path: Path, content: str) -> Path:
    """A file with a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def tsv(path: Path, rows: Sequence[Sequence[object]], escaped: bool = False) -> Path:
    """A table as pandas writes it without quotes, with a backslash before special signs if `escaped`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if escaped:
            writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n")
            writer.writerows(rows)
        else:
            file.writelines("\t".join(map(str, row)) + "\n" for row in rows)
    return path


@dataclass(frozen=True)
class Miniature:
    """A corpus in miniature."""

    root: Path
    task: str
    """The task that reads it."""
    expected: dict[str, dict[str, Any]]
    """By id, some of the fields; `seconds` among them."""
    settings: list[str] = field(default_factory=list)
    """Of the corpus, besides its root."""
    run: list[str] = field(default_factory=list)
    """Of a run, besides the task."""
    left_out: dict[str, int] = field(default_factory=dict)
