"""AIR-Bench: questions about speech, sounds and music, `Foundation/Foundation_meta.json` or `Chat/Chat_meta.json`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastadasp.data.corpus import Corpus
from fastadasp.data.exams import asked, records
from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row

PARTS = ("foundation", "chat")


@dataclass(frozen=True)
class AIRBench(Corpus):
    """One part of AIR-Bench (Yang et al., ACL 2024, arXiv 2402.07729); `root` holds the folder Foundation or Chat.

    A recording lies at `<task_name>_<dataset_name>/<path>`; those of Audio_Grounding are FLAC files, although their
    paths end in wav.
    """

    part: str = "foundation"
    """foundation (multiple choice: task sqa) or chat (open answers: `question` and `answer`)."""
    tasks: list[str] = field(default_factory=list)
    """Names of tasks to keep, such as Speaker_Emotion_Recontition (as the release spells it); empty: all."""

    def rows(self) -> Iterator[Row | LeftOut | Bad]:
        """All examples, with `question`, `choices`, `answer`, `task_name` and `dataset_name`."""
        if self.part not in PARTS:
            raise CorpusError(f"data.part must be one of {', '.join(PARTS)}, got {self.part!r}")
        name = self.part.capitalize()
        table = self.find(f"{name}/{name}_meta.json", f"{name}_meta.json", what="table of AIR-Bench")
        for number, raw in enumerate(records(table), start=1):
            where = f"{table.name}, entry {number}"
            keys = ("task_name", "dataset_name", "path")
            if not isinstance(raw, dict) or not all(isinstance(raw.get(key), str) for key in keys):
                yield Bad(where, f"must be an object with {', '.join(keys)}")
                continue
            if self.tasks and raw["task_name"] not in self.tasks:
                yield LeftOut("another task")
                continue
            folder = table.parent / f"{raw['task_name']}_{raw['dataset_name']}"
            file = folder / raw["path"]
            file = file.with_suffix(".flac") if raw["task_name"] == "Audio_Grounding" else file
            id = f"{folder.name}-{raw.get('uniq_id', number)}"
            fields = {key: value for key, value in raw.items() if key not in ("path", "uniq_id")}
            if self.part == "chat":
                yield self._open(where, fields, id, file)
            else:
                yield asked(where, fields, id, file, f"{folder.name}/{raw['path']}")

    def _open(self, where: str, raw: dict[str, object], id: str, file: Path) -> Row | Bad:
        answer = raw.pop("answer_gt", raw.get("answer"))
        if not isinstance(raw.get("question"), str) or not isinstance(answer, str):
            return Bad(where, "must have a question and answer_gt")
        return Row(id, file, {**raw, "answer": answer, "document": f"{file.parent.name}/{file.name}"})
