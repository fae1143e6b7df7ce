"""Kaldi data folders, ESPnet 2's too: wav.scp, text, and where utterances are cuts, segments; commands never run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, LeftOut, Row
from fastadasp.data.sources import Cut
from fastadasp.files.named import is_file, located
from fastadasp.files.text import read_lines, short, shown

Lines = dict[str, tuple[int, str]]
"""By a line's first word, its number and the rest."""


@dataclass(frozen=True)
class Kaldi(Format):
    """A data folder. Relative paths in wav.scp count from it or, as in Kaldi's recipes, from the current folder."""

    text: str = "text"
    """File of the transcripts."""
    translation: str = ""
    """File of the translations in the same form, such as text.tc.de; empty: none."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """As in Corpus; `text`, `translation`, `speaker` (utt2spk). Utterances without a text are left out."""
        scp = _lines(self.find("wav.scp", what="list of recordings (wav.scp)"))
        texts = {"text": self._optional(self.text), "speaker": self._optional("utt2spk")}
        texts["translation"] = _lines(self.find(self.translation, what="file")) if self.translation else {}
        segments = self._optional("segments")
        utterances = segments or {id: (number, id) for id, (number, _) in scp.items()}
        listing = "segments" if segments else "wav.scp"
        for id, (number, rest) in utterances.items():
            if id not in texts["text"]:
                yield LeftOut(f"no line in {self.text}")
                continue
            audio = self._audio(rest, scp, bool(segments))
            if isinstance(audio, str):
                yield Bad(f"{listing}, line {number}", audio)
                continue
            fields = {name: lines[id][1] for name, lines in texts.items() if id in lines}
            yield Row(id, audio, self.renamed(fields), audio.seconds if isinstance(audio, Cut) else None)
        for id in texts["text"].keys() - utterances.keys():
            yield Bad(f"{self.text}, line {texts['text'][id][0]}", f"{shown(id)} is not in {listing}")

    def _optional(self, name: str) -> Lines:
        return _lines(self.base / name) if (self.base / name).is_file() else {}

    def _audio(self, rest: str, scp: Mapping[str, tuple[int, str]], cut: bool) -> Path | Cut | str:
        """The recording that a line means, or the stretch of it; what is wrong with the line, as a text."""
        words = rest.split()
        if cut and len(words) != 3:
            return f"must be an utterance, its recording, start and end, got {shown(rest)}"
        recording = words[0] if cut else rest
        if recording not in scp:
            return f"recording {shown(recording)} is not in wav.scp"
        name = scp[recording][1]
        if name.endswith("|") or name.startswith("|") or name == "-":
            return f"wav.scp has a command for {shown(recording)} ({shown(name)}); write its output to a file"
        if name.rpartition(":")[2].isdecimal() and ".ark" in name:
            return f"wav.scp names a place in an archive for {shown(recording)} ({shown(name)}); unpack it to files"
        file = located(self.base, name)
        file = file if is_file(file) else located(Path(), name) if is_file(located(Path(), name)) else file
        return _stretch(file, words[1], words[2]) if cut else file


def _stretch(file: Path, start: str, end: str) -> Cut | Path | str:
    try:
        begin, stop = float(start), float(end)
    except ValueError:
        return f"start and end must be seconds, got {shown(start)} and {shown(end)}"
    if not (0 <= begin < 1e9 and (stop == -1 or begin < stop < 1e9)):
        return f"must end after it starts, got {short(start)} to {short(end)}"
    return Cut(file, begin, None if stop == -1 else round(stop - begin, 6))


def _lines(file: Path) -> Lines:
    found: Lines = {}
    for number, line in read_lines(file):
        id, _, rest = line.strip().partition(" ") if " " in line.strip() else line.strip().partition("\t")
        if id:
            found[id] = (number, rest.strip())
    return found
