"""MuST-C: TED talks and their translations (ST), `<root>/en-<language>/data/<part>/{wav,txt}`; utterances are cuts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import Bad, CorpusError, Row
from fastadasp.data.sources import Cut
from fastadasp.files.text import read_lines, short, shown
from fastadasp.files.yaml_text import read_yaml

MOST = 10_000_000
"""Values of the list of segments: the training part has 230,000 segments of 7 values."""


@dataclass(frozen=True)
class MuSTC(Corpus):
    """One part of one target language."""

    language: str = "de"
    """Target language."""
    part: str = "tst-COMMON"
    """train, dev, tst-COMMON or tst-HE."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with `text`, `translation`, `speaker` and `talk`."""
        pair = f"en-{self.language}"
        folder = self.find(f"{pair}/data/{self.part}", f"data/{self.part}", self.part, what="part of MuST-C")
        listing = folder / "txt" / f"{self.part}.yaml"
        segments = read_yaml(listing, MOST)
        texts = [_lines(folder / "txt" / f"{self.part}.{code}") for code in ("en", self.language)]
        counts = [len(segments) if isinstance(segments, list) else 0, *map(len, texts)]
        if len(set(counts)) > 1 or not counts[0]:
            raise CorpusError(
                f"{short(listing)} and the texts beside it must have as many lines each, but have "
                f"{counts[0]} segments, {counts[1]} and {counts[2]} lines"
            )
        taken: dict[str, int] = {}
        for number, (segment, text, translation) in enumerate(zip(segments, *texts, strict=True), start=1):
            where = f"{listing.name}, segment {number}"
            if problem := _problem(segment):
                yield Bad(where, problem)
                continue
            talk = Path(segment["wav"]).stem
            taken[talk] = taken.get(talk, -1) + 1
            cut = Cut(folder / "wav" / segment["wav"], float(segment["offset"]), float(segment["duration"]))
            fields = {"text": text, "translation": translation, "speaker": segment.get("speaker_id", ""), "talk": talk}
            yield Row(f"{talk}_{taken[talk]}", cut, {**fields, "language": "en", "target": self.language}, cut.seconds)


def _lines(file: Path) -> list[str]:
    return [line for _, line in read_lines(file)]


def _problem(segment: Any) -> str | None:
    if not isinstance(segment, dict) or not isinstance(segment.get("wav"), str):
        return f"must be a mapping with wav, offset and duration, got {shown(segment)}"
    for key in ("offset", "duration"):
        if type(segment.get(key)) not in (int, float) or not 0 <= segment[key] < 1e6:
            return f"{key} must be a number of seconds, got {shown(segment.get(key))}"
    return None if segment["duration"] > 0 else "its duration is 0"
