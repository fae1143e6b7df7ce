"""lhotse cuts: cuts.jsonl or cuts.jsonl.gz with the recordings inside, as `CutSet.to_file` writes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, Row
from fastadasp.data.sources import Cut
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.named import located
from fastadasp.files.text import read_lines, shown

SUPERVISED = ("text", "speaker", "language", "gender")
"""What a supervision says of its stretch of the cut."""
TOLERANCE = 0.01
"""Seconds by which a cut may end before its recording does and still count as all of it."""


@dataclass(frozen=True)
class Lhotse(Format):
    """A set of cuts of single recordings; relative paths count from the file's folder or the current one."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with `text` (of all supervisions), `speaker`, `language`, `gender`, custom fields."""
        file = self.file("a set of cuts such as cuts.jsonl.gz")
        for number, line in read_lines(file):
            if not line.strip():
                continue
            where = f"{file.name}, line {number}"
            try:
                cut = parse(line, strict=True)
                yield self._row(cut, file.parent)
            except JsonError as error:
                yield Bad(where, str(error))
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                yield Bad(where, f"is not a cut as lhotse writes them ({type(error).__name__}: {shown(str(error))})")

    def _row(self, cut: dict[str, Any], folder: Path) -> Row:
        if problem := _problem(cut):
            raise JsonError(problem)
        recording = cut["recording"]
        (source,) = recording["sources"]
        file = located(folder, source["source"])
        start, seconds, whole = float(cut["start"]), float(cut["duration"]), float(recording["duration"])
        audio = file if start == 0 and seconds > whole - TOLERANCE else Cut(file, start, seconds)
        spoken = sorted(cut.get("supervisions", ()), key=lambda one: float(one.get("start", 0)))
        fields: dict[str, object] = {}
        for name in SUPERVISED:
            if given := [str(one[name]) for one in spoken if one.get(name) is not None]:
                fields[name] = " ".join(given if name == "text" else dict.fromkeys(given))
        for one in (cut, *spoken):
            fields |= {key: value for key, value in (one.get("custom") or {}).items() if key not in fields}
        if len(source.get("channels", (0,))) > 1 and type(cut.get("channel")) is int:
            fields["audio_options"] = {"channel": source["channels"].index(cut["channel"]) + 1}
        return Row(str(cut["id"]), audio, self.renamed(fields), seconds)


def _problem(cut: Any) -> str | None:
    if not isinstance(cut, dict) or "id" not in cut:
        return f"must be an object with id, start, duration and recording, got {shown(cut)}"
    kind = cut.get("type", "MonoCut")
    if kind not in ("MonoCut", "MultiCut", "Cut"):
        return f"is a {kind}: only cuts of one recording are read; save the mix as audio (`cut.save_audio`)"
    recording = cut.get("recording")
    if not isinstance(recording, dict):
        return "has no recording inside (features alone are not read); write the cuts with their recordings"
    if recording.get("transforms"):
        return "its recording is changed on the fly (transforms); save it as audio (`cut.save_audio`)"
    sources = recording.get("sources")
    if not isinstance(sources, list) or len(sources) != 1:
        return f"its recording must lie in one file, got {shown(sources)}"
    if sources[0].get("type") != "file":
        return f"its recording is a {shown(sources[0].get('type'))}: commands do not run, and nothing is downloaded"
    return None
