"""MMSU: questions about what is said and how, `question/mmsu.jsonl` and a folder of audio."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.exams import asked, records
from fastadasp.data.rows import Bad, LeftOut, Row
from fastadasp.files.named import is_file, located


@dataclass(frozen=True)
class MMSU(Corpus):
    """All or some tasks of MMSU (Wang et al., 2025, arXiv 2506.04779), in the form with a JSON Lines file.

    The form of the hub's Parquet files is read with `data=huggingface`.
    """

    tasks: list[str] = field(default_factory=list)
    """Names of tasks to keep (`task_name`); empty: all 47."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `question`, `choices`, `answer`, `task_name`, `category` and its divisions."""
        table = self.find("question/mmsu.jsonl", "mmsu.jsonl", what="table of MMSU")
        for number, raw in enumerate(records(table), start=1):
            where = f"{table.name}, entry {number}"
            name = raw.get("audio_path") if isinstance(raw, dict) else None
            if not isinstance(name, str) or not name:
                yield Bad(where, "must be an object with audio_path")
                continue
            if self.tasks and raw.get("task_name") not in self.tasks:
                yield LeftOut("another task")
                continue
            fields = {key: value for key, value in raw.items() if key not in ("audio_path", "id")}
            id = str(raw.get("id") or Path(name).stem)
            yield asked(where, fields, id, self._file(name), Path(name).stem)

    def _file(self, name: str) -> Path:
        """The recording, whose path counts from `root` or from its folder audio."""
        places = (located(self.base, name), located(self.base / "audio", name), self.base / "audio" / Path(name).name)
        return next(filter(is_file, places), places[0])
