"""WavLLM's TSV files: id, audio, n_frames, prompt and tgt_text, for any of its tasks (gaokao.tsv: SQA)."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastadasp.data.formats import Format
from fastadasp.data.rows import Bad, CorpusError, Row
from fastadasp.data.sources import Cut
from fastadasp.files.named import located
from fastadasp.files.tables import read_tsv
from fastadasp.files.text import home, shown

FIELD = {"asr": "text", "st": "translation", "er": "label", "sv": "label", "sqa": "answer"}
"""What the target is called, by task."""
RATE = 16_000


@dataclass(frozen=True)
class WavLLM(Format):
    """One file of one task; `root` is the file. `n_frames` is not read: the released files hold dummies."""

    task: str = "sqa"
    """asr, st, er, sv or sqa: what `tgt_text` is."""
    audio_root: str = ""
    """Folder that paths count from; empty: the file's own."""

    def rows(self) -> Iterator[Row | Bad]:
        """All examples, with the target under its task's name, `prompt`, and for sqa `question` and `choices`."""
        if self.task not in FIELD:
            raise CorpusError(f"data.task must be one of {', '.join(FIELD)}, got {self.task!r}")
        file = self.file("a TSV file such as gaokao.tsv")
        folder = home(file.parent / self.audio_root)
        for line, row in read_tsv(file, ("id", "audio", "prompt", "tgt_text")):
            where = f"{file.name}, line {line}"
            fields: dict[str, object] = {FIELD[self.task]: row["tgt_text"], "prompt": row["prompt"]}
            if self.task == "sqa":
                question, choices = choices_in(row["prompt"])
                if len(choices) < 2:
                    yield Bad(where, f"its prompt must be a question with A. ...; B. ...; got {shown(row['prompt'])}")
                    continue
                fields |= {"question": question, "choices": choices}
            audio = located(folder, row["audio"])
            bounds = (row.get("start_frame", ""), row.get("end_frame", ""))
            if any(bounds):
                start, end = (int(bound) if bound.isdecimal() else -1 for bound in bounds)
                if not 0 <= start < end:
                    yield Bad(where, f"start_frame and end_frame must be samples, got {bounds[0]!r} and {bounds[1]!r}")
                    continue
                cut = Cut(audio, start / RATE, (end - start) / RATE)
                yield Row(row["id"], cut, self.renamed(fields), cut.seconds)
            else:
                yield Row(row["id"], audio, self.renamed(fields))


def choices_in(prompt: str) -> tuple[str, list[str]]:
    """Question and choices of `What will he do? A. Go home; B. Stay; C. Sing.`; no choices where there are none."""
    question, first, rest = prompt.partition(" A. ")
    choices: list[str] = []
    for letter in "BCDEFGHIJKLMNOPQRSTUVWXYZ" if first else "":
        choice, mark, after = rest.partition(f"; {letter}. ")
        if not mark:
            break
        choices.append(choice.strip())
        rest = after
    return (question.strip(), [*choices, rest.strip().removesuffix(".")]) if choices else (prompt, [])
