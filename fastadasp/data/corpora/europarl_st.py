"""Europarl-ST: debates and their translations (ST), `<root>/<source>/{audios,<target>/<part>}`; utterances are cuts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row
from fastadasp.data.sources import Cut
from fastadasp.files.text import read_lines, short, shown


@dataclass(frozen=True)
class EuroparlST(Corpus):
    """One part of one pair of languages; `root` is the folder of the release, such as v1.1."""

    source: str = "en"
    target: str = "de"
    part: str = "test"
    """train, dev or test (train-noisy where there is one)."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `text`, `translation`, and `speech` (also as `document`).

        Segments without a translation are left out.
        """
        folder = self.find(f"{self.source}/{self.target}/{self.part}", what="part of Europarl-ST")
        audios = self.find(f"{self.source}/audios", what="folder of recordings")
        suffixes = {file.stem: file.suffix for file in audios.iterdir()}
        listing = folder / "segments.lst"
        texts = [_lines(folder / f"segments.{language}") for language in (self.source, self.target)]
        segments = _lines(listing)
        if {len(segments)} != set(map(len, texts)) or not segments:
            raise CorpusError(
                f"{short(listing)} and the texts beside it must have as many lines each, but have "
                f"{len(segments)} segments, {len(texts[0])} and {len(texts[1])} lines"
            )
        for number, (segment, text, translation) in enumerate(zip(segments, *texts, strict=True), start=1):
            cut = _cut(segment, audios, suffixes)
            if cut is None:
                problem = f"must be a recording, its start and its end, got {shown(segment)}"
                yield Bad(f"{listing.name}, line {number}", problem)
            elif not translation.strip():
                yield LeftOut("translation empty")
            else:
                speech = segment.split()[0]
                said = {"text": text, "translation": translation, "language": self.source, "target": self.target}
                id = f"{speech}_{number:06}"
                yield Row(id, cut, {**said, "speech": speech, "document": speech}, cut.seconds)


def _lines(file: Path) -> list[str]:
    return [line for _, line in read_lines(file)]


def _cut(segment: str, audios: Path, suffixes: dict[str, str]) -> Cut | None:
    """The stretch that a line `<recording> <start> <end>` names, in seconds; None for any other line."""
    try:
        name, start, end = segment.split()
        begin, length = float(start), round(float(end) - float(start), 6)
    except ValueError:
        return None
    return Cut(audios / f"{name}{suffixes.get(name, '.m4a')}", begin, length) if begin >= 0 and length > 0 else None
