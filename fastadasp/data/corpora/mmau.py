"""MMAU: questions about speech, sounds and music that need reasoning, `mmau-test-mini.json` and a folder of audio."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.exams import asked, records
from fastadasp.data.rows import Bad, LeftOut, Row


@dataclass(frozen=True)
class MMAU(Corpus):
    """One part of MMAU (Sakshi et al., ICLR 2025, arXiv 2410.19168), a release of GitHub with its archive of audio.

    The answers of the large part (test) are not published: its questions are left out and counted.
    """

    part: str = "test-mini"
    """test-mini (1,000 questions) or test (9,000)."""
    kinds: list[str] = field(default_factory=list)
    """Kinds of audio to keep (the release calls them tasks): speech, sound, music; empty: all."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `question`, `choices`, `answer`, `kind`, `category`, `sub-category` and `difficulty`."""
        stem = f"mmau-{self.part}"
        table = self.find(f"{stem}.json", f"{stem.replace('-', '_')}.json", what="table of MMAU")
        taken: set[str] = set()
        for number, raw in enumerate(records(table), start=1):
            where = f"{table.name}, entry {number}"
            name = raw.get("audio_id") if isinstance(raw, dict) else None
            if not isinstance(name, str) or not name:
                yield Bad(where, "must be an object with audio_id")
                continue
            fields = {key: value for key, value in raw.items() if key not in ("audio_id", "id", "task")}
            fields["kind"] = raw.get("task")
            if self.kinds and fields["kind"] not in self.kinds:
                yield LeftOut("another kind of audio")
                continue
            stem = Path(name).stem
            id = str(raw.get("id") or (stem if stem not in taken else f"{stem}-{number}"))
            taken.add(stem)
            yield asked(where, fields, id, table.parent / name, stem)
