"""ESD: sentences acted in five emotions in English and Mandarin (ER), `<root>/<speaker>/<emotion>/*.wav` and texts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastadasp.data.corpus import Labelled, listed
from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row
from fastadasp.files.text import FileError, read_lines, short

EMOTIONS = {"neutral": "neutral", "happy": "happy", "angry": "angry", "sad": "sad", "surprise": "surprised"}
PARTS = {"evaluation": range(1, 21), "test": range(21, 51), "train": range(51, 351)}
"""Sentences of each part among the 350 of an emotion, where the files do not lie in folders named after parts."""
ENGLISH = range(11, 21)
"""Numbers of the speakers of English; 1 to 10 speak Mandarin."""
_NAME = re.compile(r"(\d{4})_(\d{6})")


@dataclass(frozen=True)
class ESD(Labelled):
    """One part of the utterances of all or some speakers."""

    part: str = "test"
    """train, evaluation or test; empty: all."""
    language: str = "en"
    """en or zh; empty: both."""
    speakers: list[int] = field(default_factory=list)
    """Speakers 1 to 20; empty: all of the language."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `label`, `text` where its file can be read, `speaker` and `language`."""
        if self.part not in ("", *PARTS):
            raise CorpusError(f"data.part must be one of {', '.join(PARTS)} or empty, got {self.part!r}")
        files = listed(self.base, "**/[0-9][0-9][0-9][0-9]/**/*.wav")
        if not files:
            raise CorpusError(f"no recordings: {short(self.base)}/0011/Angry/*.wav do not exist; check data.root")
        texts: dict[str, dict[str, str]] = {}
        for file in files:
            match = _NAME.fullmatch(file.stem)
            emotion = next((part.lower() for part in file.parts if part.lower() in EMOTIONS), None)
            if match is None or emotion is None:
                yield Bad(file.name, "is not <speaker>_<number>.wav below a folder named after an emotion")
                continue
            speaker, number = match[1], int(match[2])
            language = "en" if int(speaker) in ENGLISH else "zh"
            if self.language not in ("", language) or (self.speakers and int(speaker) not in self.speakers):
                yield LeftOut("another speaker or language")
            elif self.part not in ("", _part(file, number)):
                yield LeftOut("another part")
            else:
                if speaker not in texts:
                    texts[speaker] = _texts(file, speaker)
                text = {"text": texts[speaker][file.stem]} if file.stem in texts[speaker] else {}
                yield self.labelled(file.stem, file, EMOTIONS[emotion], **text, speaker=speaker, language=language)


def _part(file: Path, number: int) -> str:
    """By the folder's name or, where it has none of a part's, by the number of the sentence within its emotion."""
    named = next((part for part in PARTS if part in file.parts), None)
    within = (number - 1) % 350 + 1
    return named or next(part for part, numbers in PARTS.items() if within in numbers)


def _texts(file: Path, speaker: str) -> dict[str, str]:
    """What a speaker says, by file; nothing where the list is missing or, as some of the release's, no UTF-8 text."""
    folder = next(parent for parent in file.parents if parent.name == speaker)
    try:
        lines = [line.split("\t") for _, line in read_lines(folder / f"{speaker}.txt")]
    except FileError:
        return {}
    return {cells[0].strip(): cells[1].strip() for cells in lines if len(cells) > 1}
