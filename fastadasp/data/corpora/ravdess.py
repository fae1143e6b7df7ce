"""RAVDESS: two sentences acted in eight emotions (ER), `<root>/Actor_<nn>/<codes>.wav`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastadasp.data.corpus import Labelled, listed
from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row
from fastadasp.files.text import short

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
SENTENCES = ("Kids are talking by the door.", "Dogs are sitting by the door.")
_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")


@dataclass(frozen=True)
class RAVDESS(Labelled):
    """Speech of all or some actors, from the audio-only files."""

    actors: list[int] = field(default_factory=list)
    """Actors 1 to 24 (odd: men, even: women); empty: all."""
    song: bool = False
    """Take what is sung instead of what is spoken."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `label`, `text`, `speaker`, `gender` and `intensity`."""
        files = listed(self.base, "**/Actor_*/*.wav")
        if not files:
            raise CorpusError(f"no recordings: {short(self.base)}/Actor_*/*.wav do not exist; check data.root")
        for file in files:
            match = _NAME.fullmatch(file.stem)
            if match is None:
                yield Bad(file.name, "its name is not of seven numbers such as 03-01-06-01-02-01-12")
                continue
            modality, channel, emotion, intensity, sentence, _, actor = map(int, match.groups())
            if modality == 2 or (channel == 2) != self.song:
                yield LeftOut("picture only" if modality == 2 else "spoken" if self.song else "sung")
            elif self.actors and actor not in self.actors:
                yield LeftOut("another actor")
            else:
                yield self.labelled(
                    file.stem,
                    file,
                    EMOTIONS[emotion - 1],
                    text=SENTENCES[sentence - 1],
                    speaker=f"{actor:02}",
                    gender="male" if actor % 2 else "female",
                    intensity=("normal", "strong")[intensity - 1],
                    language="en",
                )
