"""NeMo manifests: one JSON object per line with audio_filepath, duration, text and, for cuts, offset.

Those of tarred data sets also have shard_id, the number of the tar file in which a recording lies.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from fastadasp.data.archives.member import Member
from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, CorpusError, Row
from fastadasp.data.sources import Cut, Place
from fastadasp.files.braces import expanded
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.named import located
from fastadasp.files.text import read_lines, shown

OWN = ("audio_filepath", "duration", "offset", "shard_id")


@dataclass(frozen=True)
class NeMo(Format):
    """A manifest of NeMo; `root` is the file. Paths in it count from its folder."""

    shards: str = "audio_{shard_id}.tar"
    """The tar files of a tarred data set, relative to the manifest: with `{shard_id}`, or all of them as NeMo's
    `tarred_audio_filepaths` names them, such as `audio__OP_0..127_CL_.tar`."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with all further fields of their lines."""
        file = self.file("a NeMo manifest such as test_manifest.json")
        taken: set[str] = set()
        shards = None if "{shard_id}" in self.shards else self._listed()
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
            audio = self._place(raw, file.parent, shards)
            yield Bad(where, audio) if isinstance(audio, str) else self._row(raw, audio, number, taken)

    def _listed(self) -> list[str]:
        try:
            return list(expanded(self.shards))
        except ValueError as error:
            raise CorpusError(f"data.shards: {error}") from error

    def _place(self, raw: dict[str, Any], folder: Path, shards: list[str] | None) -> Place | str:
        """The recording of a line; what is wrong with its shard, as a text."""
        if "shard_id" not in raw:
            return located(folder, raw["audio_filepath"])
        number = raw["shard_id"]
        if type(number) is not int or number < 0:
            return f"shard_id must be the number of a tar file, got {shown(number)}"
        if shards is None:
            return Member(located(folder, self.shards.replace("{shard_id}", str(number))), raw["audio_filepath"])
        first = re.search(r"\d+(?=\D*$)", shards[0])
        place = number - int(first[0] if first else 0)
        if not 0 <= place < len(shards):
            return f"shard_id {number} is none of the {len(shards)} tar files of data.shards"
        return Member(located(folder, shards[place]), raw["audio_filepath"])

    def _row(self, raw: dict[str, Any], audio: Place, number: int, taken: set[str]) -> Row:
        offset, duration = raw.get("offset"), raw.get("duration")
        cut = Cut(audio, float(offset), duration) if offset else audio
        stem = Path(audio.name).stem
        id = f"{stem}@{offset:g}" if offset else stem
        id = id if id not in taken else f"{id}-line{number}"
        taken.add(id)
        fields = self.renamed({key: value for key, value in raw.items() if key not in OWN})
        return Row(id, cut, fields, duration)


def _problem(raw: Any) -> str | None:
    name = raw.get("audio_filepath") if isinstance(raw, dict) else None
    if not isinstance(name, str) or not name:
        return f"must be an object with audio_filepath, got {shown(raw)}"
    for key in ("offset", "duration"):
        value = raw.get(key)
        if value is None:
            continue
        if type(value) not in (int, float) or not isfinite(value) or value < 0 or (key == "duration" and value == 0):
            return f"{key} must be a number of seconds, got {shown(value)}"
    return None
