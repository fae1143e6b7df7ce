"""Spoken question answering with choices: the passage is heard, question and choices are read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from fastadasp.data.manifest import Field, ManifestError, Record, read_manifest
from fastadasp.tasks.base import Example, Prediction, Task
from fastadasp.tasks.reading.options import Options
from fastadasp.tasks.reading.reader import read_answer


@dataclass(frozen=True)
class SQA(Task):
    """Answer a multiple-choice question about the speech; scored by accuracy."""

    reference: str = "answer"
    """Manifest field that holds the right choice: its letter or its text."""
    instruction: str = "{question} {choices}."
    """`{question}` and `{choices}` ("A. red; B. blue") are replaced."""

    name = "sqa"
    objective = "accuracy"
    higher_is_better = True

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio`, `question`, `choices` and the right one."""
        fields = {"question": Field(str), "choices": Field(list), self.reference: Field(str)}
        records = read_manifest(self.manifest, fields, self.limit)
        problems = [problem for record in records if (problem := self._problem(record))]
        if problems:
            raise ManifestError.listing(self.manifest, problems)
        return [
            Example(
                id=record.id,
                audio=record.audio,
                instruction=self._instruction(str(record.fields["question"]), _choices(record)),
                reference=_letter(str(record.fields[self.reference]), _choices(record)),
                seconds=record.seconds,
                task=self.name,
                meta={**record.fields, "choices": _choices(record)},
            )
            for record in records
        ]

    def _problem(self, record: Record) -> str | None:
        choices = _choices(record)
        line = record.where.rpartition(":")[2]
        if len(choices) > len(ascii_uppercase):
            return f"line {line}: field 'choices' may hold at most {len(ascii_uppercase)} texts, got {len(choices)}"
        if not _letter(str(record.fields[self.reference]), choices):
            allowed = f"a letter from A to {ascii_uppercase[len(choices) - 1]} or the text of one choice"
            return f"line {line}: field {self.reference!r} must be {allowed}; got {record.fields[self.reference]!r}"
        return None

    def _instruction(self, question: str, choices: Sequence[str]) -> str:
        listed = "; ".join(f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False))
        return self.instruction.replace("{choices}", listed).replace("{question}", question)

    def parse(self, text: str, example: Example) -> str:
        """The letter of the option that the answer gives; empty where no single one is clear."""
        choices = tuple(map(str, example.meta["choices"]))  # type: ignore[call-overload]
        return read_answer(text, Options.of_choices(choices), example.instruction).option

    def metrics(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """`accuracy` over all questions, and how many were `unanswered` (no letter could be read)."""
        right = sum(prediction.answer == prediction.reference for prediction in predictions)
        return {
            "accuracy": right / len(predictions),
            "unanswered": sum(not prediction.answer for prediction in predictions),
        }


def _choices(record: Record) -> list[str]:
    return list(record.fields["choices"])  # type: ignore[call-overload, no-any-return]


def _letter(answer: str, choices: Sequence[str]) -> str:
    """The letter of a reference given as letter or as text; empty if it is neither."""
    letters = ascii_uppercase[: len(choices)]
    texts = [_plain(choice) for choice in choices]
    if _plain(answer) in texts:
        return letters[texts.index(_plain(answer))]
    letter = answer.strip().rstrip(".)").upper()
    return letter if len(letter) == 1 and letter in letters else ""


def _plain(text: str) -> str:
    """Lower-case words without punctuation."""
    return " ".join(re.findall(r"\w+", text.lower()))
