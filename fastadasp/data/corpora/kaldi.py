"""Kaldi data folders, ESPnet 2's too: wav.scp, text, and where utterances are cuts, segments.

Commands never run. Those that only turn a file into WAV name that file, which is read instead.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastadasp.data.archives.member import Member
from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, LeftOut, Row
from fastadasp.data.sources import Cut, Place
from fastadasp.files.named import is_file, located
from fastadasp.files.text import read_lines, short, shown

IN_ARCHIVE = re.compile(r"(?P<file>.*\.ark):(?P<offset>\d+)")
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
        """All examples, with `text`, `translation`, `speaker` (utt2spk). Utterances without a text are left out."""
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
            found = self._audio(rest, scp, bool(segments))
            if isinstance(found, str):
                yield Bad(f"{listing}, line {number}", found)
                continue
            audio, options = found
            fields: dict[str, object] = {name: lines[id][1] for name, lines in texts.items() if id in lines}
            fields |= options
            yield Row(id, audio, self.renamed(fields), audio.seconds if isinstance(audio, Cut) else None)
        for id in texts["text"].keys() - utterances.keys():
            yield Bad(f"{self.text}, line {texts['text'][id][0]}", f"{shown(id)} is not in {listing}")

    def _optional(self, name: str) -> Lines:
        return _lines(self.base / name) if (self.base / name).is_file() else {}

    def _audio(
        self, rest: str, scp: Mapping[str, tuple[int, str]], cut: bool
    ) -> tuple[Place | Cut, Mapping[str, object]] | str:
        """The recording that a line means, or the stretch of it, with fields; or what is wrong with the line."""
        words = rest.split()
        if cut and len(words) != 3:
            return f"must be an utterance, its recording, start and end, got {shown(rest)}"
        recording = words[0] if cut else rest
        if recording not in scp:
            return f"recording {shown(recording)} is not in wav.scp"
        name, options = scp[recording][1], dict[str, object]()
        if name.endswith("|") or name.startswith("|") or name == "-":
            converted = _converted(name)
            if converted is None:
                return f"wav.scp has a command for {shown(recording)} ({shown(name)}); write its output to a file"
            name, options = converted
        place = self._place(name)
        found = _stretch(place, words[1], words[2]) if cut else place
        return found if isinstance(found, str) else (found, options)

    def _place(self, name: str) -> Place:
        """The file that wav.scp names, or the recording within an archive (`wav.ark:1234`)."""
        inside = IN_ARCHIVE.fullmatch(name)
        file = located(self.base, inside["file"] if inside else name)
        if not is_file(file):
            here = located(Path(), inside["file"] if inside else name)
            file = here if is_file(here) else file
        return Member(file, inside["offset"]) if inside else file


def _converted(command: str) -> tuple[str, dict[str, object]] | None:
    """The file that a command of Kaldi's recipes turns into WAV, and the line's `audio_options`; None for any other.

    `flac -c -d -s a.flac |` is a.flac, `sph2pipe -f wav -p -c 2 a.sph |` the second channel of a.sph, and
    `cat a.wav |` a.wav.
    """
    try:
        words = shlex.split(command.strip().removesuffix("|"))
    except ValueError:
        return None
    if not words or not command.strip().endswith("|") or len(words) < 2 or set(command[:-1]) & set("|<>;&$`"):
        return None
    program, arguments, name = Path(words[0]).name, " ".join(words[1:-1]), words[-1]
    if program == "cat" and not arguments:
        return name, {}
    if program == "flac" and re.fullmatch(r"(-c|-d|-s|-cd|-dc|-cds|-dcs|--stdout|--decode|--silent|\s)+", arguments):
        return name, {}
    if program == "sph2pipe" and (
        match := re.fullmatch(r"(?:(?:-f (?:wav|riff|rif)|-p|-c (?P<channel>[12]))\s*)*", arguments)
    ):
        return name, {"audio_options": {"channel": int(match["channel"])}} if match["channel"] else {}
    return None


def _stretch(file: Place, start: str, end: str) -> Cut | str:
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
