"""NeMo manifests: one JSON object per line with audio_filepath, duration, text and, for cuts, offset."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, Row
from fastadasp.data.sources import Cut
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.named import located
from fastadasp.files.text import read_lines, shown

OWN = ("audio_filepath", "duration", "offset")


@dataclass(frozen=True)
class NeMo(Format):
    """A manifest of NeMo; `root` is the file. Paths in it count from its folder."""

    def rows(self) -> Iterator[Row | Bad]:
        """As in Corpus; all further fields are kept."""
        file = self.file("a NeMo manifest such as test_manifest.json")
        taken: set[str] = set()
        for number, line in read_lines(file):
            if not line.strip():
                continue
            where = f"{file.name}, line {number}"
            try:
                raw = parse(line, strict=True)
            except JsonError as error:
                yield Bad(where, str(error))
                continue
            if problem := _problem(raw):
                yield Bad(where, problem)
                continue
            yield self._row(raw, file.parent, number, taken)

    def _row(self, raw: dict[str, Any], folder: Path, number: int, taken: set[str]) -> Row:
        audio = located(folder, raw["audio_filepath"])
        offset, duration = raw.get("offset"), raw.get("duration")
        cut = Cut(audio, float(offset), duration) if offset else audio
        id = f"{audio.stem}@{offset:g}" if offset else audio.stem
        id = id if id not in taken else f"{id}-line{number}"
        taken.add(id)
        fields = self.renamed({key: value for key, value in raw.items() if key not in OWN})
        return Row(id, cut, fields, duration)


def _problem(raw: Any) -> str | None:
    name = raw.get("audio_filepath") if isinstance(raw, dict) else None
    if not isinstance(name, str) or not name:
        return f"must be an object with audio_filepath, got {shown(raw)}"
    if "shard_id" in raw:
        return "its audio lies in a tar file (shard_id): unpack the shards, and leave shard_id out"
    for key in ("offset", "duration"):
        value = raw.get(key)
        if value is None:
            continue
        if type(value) not in (int, float) or not isfinite(value) or value < 0 or (key == "duration" and value == 0):
            return f"{key} must be a number of seconds, got {shown(value)}"
    return None
