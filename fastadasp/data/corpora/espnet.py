"""ESPnet 1's JSON (data.json) with audio files as input; ESPnet 2 has Kaldi folders (`data=kaldi`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastadasp.data.archives.member import Member
from fastadasp.data.corpora.kaldi import IN_ARCHIVE
from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, CorpusError, Row
from fastadasp.files.json_text import read_json
from fastadasp.files.named import located
from fastadasp.files.text import short, shown


@dataclass(frozen=True)
class ESPnet(Format):
    """A data.json; `root` is the file."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with `text`; of two outputs, the first is the `translation` and the second the `text`."""
        file = self.file("ESPnet's data.json")
        utterances = read_json(file).get("utts")
        if not isinstance(utterances, dict) or not utterances:
            raise CorpusError(f"{short(file)} has no object `utts` with the utterances")
        for id, utterance in utterances.items():
            found = self._row(id, utterance, file.parent)
            yield Bad(id, found) if isinstance(found, str) else found

    def _row(self, id: str, utterance: Any, folder: Path) -> Row | str:
        name = _single(utterance, "input", "feat")
        if name is None:
            return f"must have one input with a file (feat), got {shown(utterance)}"
        kind = utterance["input"][0].get("filetype", "sound" if ":" not in name else "mat")
        inside = IN_ARCHIVE.fullmatch(name)
        if kind != "sound" and not (inside and kind in ("sound.ark", "flac.ark", "wav.ark")):
            return f"its input is {shown(kind)} ({shown(name)}): features are not read, audio is"
        outputs = [one.get("text") for one in utterance.get("output", ()) if isinstance(one, Mapping)]
        texts = [text for text in outputs if isinstance(text, str)]
        if not 1 <= len(texts) <= 2:
            return f"must have one or two outputs with a text, got {len(texts)}"
        fields: dict[str, object] = {"text": texts[-1]}
        if len(texts) == 2:
            fields["translation"] = texts[0]
        if isinstance(utterance.get("utt2spk"), str):
            fields["speaker"] = utterance["utt2spk"]
        audio = Member(located(folder, inside["file"]), inside["offset"]) if inside else located(folder, name)
        return Row(id, audio, self.renamed(fields))


def _single(utterance: Any, key: str, value: str) -> str | None:
    parts = utterance.get(key) if isinstance(utterance, Mapping) else None
    whole = isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], Mapping)
    found = parts[0].get(value) if whole and parts else None
    return found if isinstance(found, str) and found else None
