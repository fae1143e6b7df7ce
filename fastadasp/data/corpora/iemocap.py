"""IEMOCAP: acted dialogues (ER), `<root>/Session<n>/{sentences/wav,dialog/EmoEvaluation,dialog/transcriptions}`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastadasp.data.corpus import Corpus, listed
from fastadasp.data.rows import CorpusError, LeftOut, Row
from fastadasp.files.text import read_lines

NAMES = {
    "neu": "neutral",
    "hap": "happy",
    "exc": "excited",
    "sad": "sad",
    "ang": "angry",
    "fru": "frustrated",
    "fea": "fearful",
    "sur": "surprised",
    "dis": "disgusted",
    "oth": "other",
    "xxx": "no agreement",
}
"""The corpus' own codes in words."""

_EVALUATION = re.compile(r"\[\d[^\]]*\]\t(?P<id>\S+)\t(?P<code>\w+)\t")
_TRANSCRIPT = re.compile(r"(?P<id>\S+) \[[^\]]*\]: (?P<text>.*)")


@dataclass(frozen=True)
class IEMOCAP(Corpus):
    """Utterances of some sessions; `root` is the release's folder, IEMOCAP_full_release.

    Session 5 with four classes, excited counted as happy, is the usual test set: 1,241 utterances.
    """

    sessions: list[int] = field(default_factory=lambda: [5])
    labels: list[str] = field(default_factory=lambda: ["happy", "sad", "angry", "neutral"])
    """Classes to keep; utterances of others are left out and counted. Empty: all of NAMES."""
    excited_as_happy: bool = True
    """Count the code `exc` as happy."""

    def rows(self) -> Iterator[Row | LeftOut]:
        """All examples, with `label`, `code` (the corpus' own), `text`, `speaker` and `dialogue`."""
        within = next((name for name in ("", "IEMOCAP", "IEMOCAP_full_release") if self._has(name)), "")
        for session in self.sessions:
            folder = self.find(f"{within}/Session{session}".lstrip("/"), what="session of IEMOCAP")
            texts = dict(_transcripts(folder))
            evaluations = listed(folder / "dialog" / "EmoEvaluation", "Ses*.txt")
            if not evaluations:
                raise CorpusError(f"no labels: {folder}/dialog/EmoEvaluation/Ses*.txt do not exist")
            for file in evaluations:
                for id, code in _codes(file):
                    yield self._row(folder, file.stem, id, code, texts)

    def _has(self, name: str) -> bool:
        return bool(self.sessions) and (self.base / name / f"Session{self.sessions[0]}").is_dir()

    def _row(self, folder: Path, dialogue: str, id: str, code: str, texts: Mapping[str, str]) -> Row | LeftOut:
        label = "happy" if code == "exc" and self.excited_as_happy else NAMES.get(code, code)
        if self.labels and label not in self.labels:
            return LeftOut(f"label {label}")
        # Ses05F_impro01_M003: in the session whose actress wore the markers, the man's third turn.
        fields = {"label": label, "code": code, "speaker": f"{id[:5]}{id[-4]}", "dialogue": dialogue}
        text = {"text": texts[id]} if id in texts else {}
        return Row(id, folder / "sentences" / "wav" / dialogue / f"{id}.wav", {**fields, **text, "language": "en"})


def _codes(file: Path) -> Iterator[tuple[str, str]]:
    """Id and code of each utterance: the lines that begin with a stretch of time."""
    for _, line in read_lines(file):
        if match := _EVALUATION.match(line):
            yield match["id"], match["code"]


def _transcripts(folder: Path) -> Iterator[tuple[str, str]]:
    for file in listed(folder / "dialog" / "transcriptions", "Ses*.txt"):
        for _, line in read_lines(file):
            if match := _TRANSCRIPT.match(line):
                yield match["id"], match["text"].strip()
