"""CREMA-D: twelve sentences acted in six emotions (ER), `<root>/AudioWAV/<actor>_<sentence>_<emotion>_<level>.wav`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from fastadasp.data.corpus import Labelled, listed
from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row
from fastadasp.files.text import short

EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgusted",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}


@dataclass(frozen=True)
class CREMAD(Labelled):
    """All or some of the 91 actors; labels are those that the actors were asked for, as the files are named."""

    actors: list[int] = field(default_factory=list)
    """Actors 1001 to 1091; empty: all."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `label`, `level`, `text` and `speaker`."""
        files = listed(self.base, "AudioWAV/*.wav") or listed(self.base, "*.wav")
        if not files:
            raise CorpusError(f"no recordings: {short(self.base)}/AudioWAV/*.wav do not exist; check data.root")
        for file in files:
            actor, sentence, emotion, level, *rest = [*file.stem.split("_"), "", "", "", ""][:5]
            if rest != [""] or emotion not in EMOTIONS or sentence not in SENTENCES or not actor.isdecimal():
                yield Bad(file.name, "its name is not of four parts such as 1001_DFA_ANG_XX")
            elif self.actors and int(actor) not in self.actors:
                yield LeftOut("another actor")
            else:
                yield self.labelled(
                    file.stem,
                    file,
                    EMOTIONS[emotion],
                    level=LEVELS.get(level, level),
                    text=SENTENCES[sentence],
                    speaker=actor,
                    language="en",
                )
