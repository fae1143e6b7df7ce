"""Spoken question answering with choices: the passage is heard, question and choices are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from fastadasp.data.manifest import Field, Record, read_manifest
from fastadasp.errors import ConfigError
from fastadasp.tasks.base import Example, Prediction, Task
from fastadasp.tasks.choices import MeaningError, choice_texts, first_number, letter_of
from fastadasp.tasks.reading.options import Options
from fastadasp.tasks.reading.reader import read_answer


@dataclass(frozen=True)
class SQA(Task):
    """Answer a multiple-choice question about the speech; scored by accuracy."""

    reference: str = "answer"
    """Manifest field that holds the right choice: its letter, its text or its number."""
    instruction: str = "{question} {choices}."
    """`{question}` and `{choices}` ("A. red; B. blue") are replaced."""
    first_choice: int | None = None
    """Number of the first choice where the manifest gives numbers: 0 or 1; None: as the manifest's numbers show."""

    name = "sqa"
    version = 2
    objective = "accuracy"
    higher_is_better = True
    place = 3

    def __post_init__(self) -> None:
        if self.first_choice not in (None, 0, 1):
            raise ConfigError(f"task.first_choice must be 0, 1 or null, got {self.first_choice}")

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio`, `question`, `choices` and the right one."""
        fields = {"question": Field(str), "choices": Field(object), self.reference: Field(object)}
        records = read_manifest(self.manifest, fields, self.limit)
        self.refuse(records, lambda record: self._problem(record, 0))
        first = self._first(records)
        self.refuse(records, lambda record: self._problem(record, first, answers=True))
        return [self._example(record, first) for record in records]

    def _first(self, records: Sequence[Record]) -> int | None:
        if self.first_choice is not None:
            return self.first_choice
        answers = ((record.fields[self.reference], choice_texts(record.fields["choices"])) for record in records)
        return first_number([(value, len(choices)) for value, choices in answers if str(value) not in choices.values()])

    def _problem(self, record: Record, first: int | None, answers: bool = False) -> str | None:
        field = "choices"
        try:
            choices = choice_texts(record.fields["choices"])
            if answers:
                field = self.reference
                letter_of(record.fields[self.reference], choices, first)
        except MeaningError as error:
            return f"field {field!r} {error}"
        return None

    def _example(self, record: Record, first: int | None) -> Example:
        choices = choice_texts(record.fields["choices"])
        texts = list(choices.values())
        return Example(
            id=record.id,
            audio=record.audio,
            instruction=self._instruction(str(record.fields["question"]), texts),
            reference=letter_of(record.fields[self.reference], choices, first),
            seconds=record.seconds,
            task=self.name,
            meta={**record.fields, "choices": texts},
        )

    def _instruction(self, question: str, choices: Sequence[str]) -> str:
        listed = "; ".join(f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False))
        return self.instruction.replace("{choices}", listed).replace("{question}", question)

    def parse(self, text: str, example: Example) -> str:
        """The letter of the option that the answer gives; empty where no single one is clear."""
        return read_answer(text, _options(example.meta["choices"]), example.instruction).option

    def interpreted(self, prediction: Prediction) -> bool:
        """As in Task: an answer that is more than a letter or a choice's text."""
        return bool(prediction.answer) and not read_answer(prediction.text, _options(prediction.meta["choices"])).bare


def _options(choices: object) -> Options:
    return Options.of_choices(tuple(map(str, choices)))  # type: ignore[call-overload]
