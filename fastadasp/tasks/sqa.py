"""Spoken question answering with choices: the passage is heard, question and choices are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from string import ascii_uppercase

from fastadasp.data.manifest import Field, Record, read_manifest
from fastadasp.errors import ConfigError
from fastadasp.files.shelf import mapped
from fastadasp.tasks.base import Example
from fastadasp.tasks.choice_task import ChoiceTask
from fastadasp.tasks.choices import MeaningError, choice_texts, first_number, letter_of
from fastadasp.tasks.reading.options import Options

Scored = Enum("Scored", ["letter", "text", "either"])


@dataclass(frozen=True)
class SQA(ChoiceTask):
    """Answer a multiple-choice question about the speech; scored by accuracy."""

    reference: str = "answer"
    """Manifest field that holds the right choice: its letter, its text or its number."""
    instruction: str = "{question} {choices}."
    """`{question}` and `{choices}` ("A. red; B. blue") are replaced. Without `{question}` the question is heard, and no
    field is needed."""
    first_choice: int | None = None
    """Number of the first choice where the manifest gives numbers: 0 or 1; None: as the manifest's numbers show."""
    scored: Scored = Scored.either
    """Whose likelihood counts, with task.scoring=likelihood: letter, text, or either (their likelihoods summed)."""

    name = "sqa"
    version = 2
    place = 3

    def __post_init__(self) -> None:
        if self.first_choice not in (None, 0, 1):
            raise ConfigError(f"task.first_choice must be 0, 1 or null, got {self.first_choice}")

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio`, `choices`, the right one and, if it is read, `question`."""
        asked = {"question": Field(str)} if "{question}" in self.instruction else {}
        fields = {**asked, "choices": Field(object), self.reference: Field(object)}
        records = read_manifest(self.manifest, fields, self.limit)
        self.refuse(records, lambda record: self._problem(record, 0))
        first = self._first(records)
        self.refuse(records, lambda record: self._problem(record, first, answers=True))
        return mapped(records, partial(self._example, first))

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

    def _example(self, first: int | None, record: Record) -> Example:
        choices = choice_texts(record.fields["choices"])
        texts = list(choices.values())
        return Example(
            id=record.id,
            audio=record.audio,
            instruction=self._instruction(str(record.fields.get("question", "")), texts),
            reference=letter_of(record.fields[self.reference], choices, first),
            seconds=record.seconds,
            task=self.name,
            meta={**record.fields, "choices": texts},
        )

    def _instruction(self, question: str, choices: Sequence[str]) -> str:
        listed = "; ".join(f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False))
        return self.instruction.replace("{choices}", listed).replace("{question}", question)

    def options_of(self, meta: Mapping[str, object]) -> Options:
        """The options of an example whose further fields are `meta`, as the reader looks for them: lettered texts."""
        return Options.of_choices(tuple(map(str, meta["choices"])))  # type: ignore[call-overload]

    def wordings_of(self, example: Example) -> Mapping[str, Sequence[str]]:
        """By option, the answers by which a model would give it: letters, texts or both."""
        options = self.options_of(example.meta)
        named = zip(options.keys, options.texts, strict=True)
        match self.scored:
            case Scored.letter:
                return {letter: (letter,) for letter in options.keys}
            case Scored.text:
                return {letter: (text,) for letter, text in named}
            case _:
                return {letter: tuple(dict.fromkeys((letter, text))) for letter, text in named}
