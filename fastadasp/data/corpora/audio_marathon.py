"""AudioMarathon: nine sets of questions, and one of transcripts, about recordings of 90 to 300 s."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastadasp.data.corpus import Corpus, listed
from fastadasp.data.exams import asked, records
from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row
from fastadasp.files.named import is_file
from fastadasp.files.text import read_lines, short

TABLES = {
    "race": "race_benchmark.json",
    "slue": "merged_audio_data.json",
    "tau": "acoustic_scene_task_meta.json",
    "gtzan": "music_genre_classification_meta.json",
    "desed": "desed_sound_event_detection_task.json",
    "vesus": "audio_emotion_dataset.json",
    "vox_gender": "gender_id_task_meta.json",
    "vox_age": "age_classification_task_meta.json",
}
"""By part, the table of its questions, in any folder below `root`."""
PARTS = (*TABLES, "had", "librispeech")
HAD = {
    "question": "Is all of this recording real, or has a stretch of it been synthesised?",
    "choices": ["real", "fake"],
}


@dataclass(frozen=True)
class AudioMarathon(Corpus):
    """One part of AudioMarathon (He et al., 2025, arXiv 2510.07293); `root` is its folder, or that of the part.

    Recordings are longer than most prompts: `model.max_seconds` must allow for 300 s. As the authors' programs do, the
    part vesus leaves out the happy recordings of the speakers 2 and 10.
    """

    part: str = "race"
    """race, slue, tau, gtzan, desed, vesus, vox_gender, vox_age or had (multiple choice: task sqa), or librispeech
    (transcripts: task asr)."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `question`, `choices`, `answer` and `document` (the recording), or `text`."""
        if self.part not in PARTS:
            raise CorpusError(f"data.part must be one of {', '.join(PARTS)}, got {self.part!r}")
        if self.part == "had":
            yield from self._had()
        elif self.part == "librispeech":
            yield from self._librispeech()
        else:
            yield from self._questions()

    def _questions(self) -> Iterator[Row | LeftOut | Bad]:
        name = TABLES[self.part]
        tables = listed(self.base, f"**/{name}")
        if len(tables) != 1:
            found = "several" if tables else "no"
            raise CorpusError(
                f"{short(self.base)} holds {found} tables {name}; data.root must hold one part {self.part}"
            )
        for number, raw in enumerate(records(tables[0]), start=1):
            where = f"{name}, entry {number}"
            file = _named(raw, tables[0].parent)
            if file is None:
                yield Bad(where, "must be an object with path or audio_path")
            elif self.part == "vesus" and _unclear(raw):
                yield LeftOut("happy, of speaker 2 or 10")
            else:
                fields = {key: value for key, value in raw.items() if key not in ("path", "audio_path", "audio", "id")}
                speaker = raw.get("speaker_id_original", raw.get("person_id"))
                fields |= {} if speaker is None else {"speaker": str(speaker)}
                yield asked(where, fields, f"{self.part}-{raw.get('uniq_id', raw.get('id', number))}", file, file.stem)

    def _had(self) -> Iterator[Row | LeftOut | Bad]:
        folder = next((one for one in (self.base, *listed(self.base, "**/HAD")) if (one / "fake").is_dir()), self.base)
        for label in HAD["choices"]:
            files = [file for file in listed(folder / label, "*.*") if file.suffix in (".wav", ".mp3", ".flac")]
            if not files:
                raise CorpusError(f"no recordings: {short(folder / label)}/*.wav do not exist; check data.root")
            for file in files:
                yield asked(file.name, {**HAD, "answer": label}, f"{label}-{file.stem}", file, file.stem)

    def _librispeech(self) -> Iterator[Row | Bad]:
        files = listed(self.base, "**/[0-9]*/[0-9]*/*.flac")
        if not files:
            raise CorpusError(
                f"no recordings: {short(self.base)}/<speaker>/<chapter>/*.flac do not exist; check data.root"
            )
        for file in files:
            chapter = file.parent
            text = _transcript(file, chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt")
            if text is None:
                yield Bad(
                    file.name, "has neither a text of its own name beside it nor a line in the chapter's transcript"
                )
            else:
                fields = {"text": text, "speaker": chapter.parent.name, "chapter": chapter.name, "language": "en"}
                yield Row(file.stem, file, fields)


def _named(raw: Any, folder: Path) -> Path | None:
    """The recording of an entry: its path counts from the table's folder, from its `wav`, or from the folder above."""
    if not isinstance(raw, dict):
        return None
    inside = raw.get("audio")
    name = raw.get("path", raw.get("audio_path", inside.get("path") if isinstance(inside, dict) else None))
    if not isinstance(name, str) or not name:
        return None
    places = [folder / name, folder / "wav" / name, folder.parent / name]
    return next(filter(is_file, places), places[0])


def _unclear(raw: dict[str, Any]) -> bool:
    digits = "".join(sign for sign in str(raw.get("person_id", "")) if sign.isdecimal())
    return digits in ("2", "02", "10") and str(raw.get("emotion_label", "")).strip().lower() == "happy"


def _transcript(file: Path, chapter: Path) -> str | None:
    own = file.with_suffix(".txt")
    if own.is_file():
        return " ".join(line.strip() for _, line in read_lines(own)).strip()
    lines = read_lines(chapter) if chapter.is_file() else ()
    found = (line.partition(" ") for _, line in lines)
    return next((text.strip() for id, _, text in found if id == file.stem), None)
