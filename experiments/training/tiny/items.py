"""What the training side reads: shards of audio, and the feature cache made from them.

A shard is a folder with `audio.npy` (int16, 16 kHz mono, all clips one after another) and `manifest.jsonl`, which is
written last. Its features are a folder with `features.npy` (bfloat16 bits as uint16, one row a token, 25 tokens/s) and
`items.jsonl`, also written last.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

MANIFEST, AUDIO, ITEMS, FEATURES = "manifest.jsonl", "audio.npy", "items.jsonl", "features.npy"


@dataclass(frozen=True)
class Item:
    """One example: its manifest fields and where its audio clips lie in the feature file."""

    folder: Path
    task: str
    fields: Mapping[str, Any]
    clips: tuple[tuple[int, int], ...]
    """(first row, rows) of each clip of at most 30 s, in order."""

    @property
    def tokens(self) -> int:
        """Audio tokens of all clips."""
        return sum(rows for _, rows in self.clips)

    def features(self) -> list[Tensor]:
        """(rows, 384) bfloat16 tower outputs, one tensor a clip."""
        rows = _rows(self.folder)
        return [torch.from_numpy(rows[start : start + n].copy()).view(torch.bfloat16) for start, n in self.clips]


@cache
def _rows(folder: Path) -> np.ndarray[Any, np.dtype[np.uint16]]:
    return np.load(folder / FEATURES, mmap_mode="r")  # type: ignore[no-any-return]


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number}: not JSON ({error})") from error


def complete(folder: Path, last: str) -> list[Path]:
    """The sub-folders of `folder` whose last-written file exists, by name."""
    return sorted(path.parent for path in folder.glob(f"*/{last}"))


def read_items(folder: Path) -> list[Item]:
    """All items of one feature folder."""
    return [
        Item(folder, line["task"], line["fields"], tuple((start, rows) for start, rows in line["clips"]))
        for line in read_jsonl(folder / ITEMS)
    ]


def read_texts(path: Path) -> list[Item]:
    """The items without audio of a JSONL file named after their task."""
    return [Item(path.parent, path.stem, line, ()) for line in read_jsonl(path)]
