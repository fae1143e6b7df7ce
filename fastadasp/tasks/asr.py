"""Automatic speech recognition: corpus word error rate, or character error rate where words have no spaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from fastadasp.data.manifest import Field, Record, read_manifest
from fastadasp.errors import ConfigError
from fastadasp.files.shelf import mapped
from fastadasp.files.text import shown
from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.languages import is_unspaced, language_of
from fastadasp.tasks.normalizers import Normalizer, Unit, graphemes, normalized, spoken_words, versions
from fastadasp.tasks.reading.stamps import keeping_stamps, without_stamps
from fastadasp.tasks.reading.transcripts import unwrap
from fastadasp.tasks.windows import Windowed

if TYPE_CHECKING:
    from fastadasp.statistics.score import Floats

_ENOUGH = 1000
"""Transcripts that show whether words are written apart."""
_NOT_SCORED = "ignore_time_segment_in_scoring"
"""TED-LIUM's text for passages without a transcript."""


@dataclass(frozen=True)
class ASR(Windowed):
    """Transcribe speech; scored by WER or CER as a fraction, errors summed over the corpus."""

    reference: str = "text"
    """Manifest field that holds the transcript."""
    instruction: str = "Transcribe the speech."
    language: str = "English"
    """Spoken language, by name or code: what `auto` means below follows from it."""
    normalizer: Normalizer = Normalizer.auto
    """What both sides go through before they are compared: english, basic or none."""
    unit: Unit = Unit.auto
    """What is counted: word (WER) or character (CER)."""
    conversational: bool = False
    """Whether references hold the marks of conversational corpora ([noise], [laughter-yeah], th-, ((yes)))."""
    silence: bool = False
    """Whether a reference may be empty: nothing is said there, and every word of an answer is an insertion."""
    timestamps: bool = False
    """Whether transcripts hold time stamps: they stay in answers word for word, and none counts as a word."""

    name = "asr"
    version = 2
    higher_is_better = False
    place = 0

    def __post_init__(self) -> None:
        self.check_windows(self.language)

    @property
    def objective(self) -> str:
        """`wer` or, where characters are counted, `cer`."""
        return "cer" if self._unit is Unit.character else "wer"

    @property
    def _normalizer(self) -> Normalizer:
        if self.normalizer is not Normalizer.auto:
            return self.normalizer
        return Normalizer.english if language_of(self.language).english else Normalizer.basic

    @property
    def _unit(self) -> Unit:
        if self.unit is not Unit.auto:
            return self.unit
        return Unit.word if language_of(self.language).spaced else Unit.character

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio` and the reference field."""
        records = read_manifest(self.manifest, {self.reference: Field(object)}, self.limit)
        self.refuse(records, self._problem)
        text = " ".join(str(record.fields[self.reference]) for record in islice(records, _ENOUGH))
        if self._unit is Unit.word and is_unspaced(text):
            raise ConfigError(
                f"the transcripts of {self.manifest} have no spaces between words, so that each counts as one word: "
                f"name the language (task.language=Chinese, now {self.language}) or set task.unit=character"
            )
        return mapped(records, self._example)

    def _example(self, record: Record) -> Example:
        return Example(
            id=record.id,
            audio=record.audio,
            instruction=self.instruction,
            reference=str(record.fields[self.reference]),
            seconds=record.seconds,
            task=self.name,
            meta=record.fields,
        )

    def _problem(self, record: Record) -> str | None:
        text = record.fields[self.reference]
        if not isinstance(text, str):
            return f"field {self.reference!r} must be a text, got {shown(text)}"
        if not text.strip() and not self.silence:
            return (
                f"field {self.reference!r} must be a text that is not blank, got {shown(text)}; where nothing is said, "
                "task.silence=true takes it as the transcript"
            )
        if text.strip().lower() == _NOT_SCORED:
            return f"field {self.reference!r} is {text.strip()!r}: TED-LIUM does not score it; leave the line out"
        return None

    def parse(self, text: str, example: Example) -> str:
        """The transcript without what a model wraps around it."""
        if self.timestamps:
            spoken = without_stamps(example.reference)
            return keeping_stamps(text, lambda plain: unwrap(plain, spoken, "transcript", self.language))
        return unwrap(text, example.reference, "transcript", self.language)

    def scorer(self) -> dict[str, str]:
        """The normaliser, on which an error rate depends more than on anything else, and what counts."""
        packages = versions("jiwer", "whisper-normalizer")
        parts = {
            "normalizer": self._normalizer.name,
            "unit": "word" if self._unit is Unit.word else "grapheme",
            "language": language_of(self.language).name,
            "marks": "conversational" if self.conversational else "as written",
            **packages,
        }
        return {**parts, "signature": "|".join((self.objective, *(f"{key}:{value}" for key, value in parts.items())))}

    def details_of(self, sums: Sequence[float]) -> dict[str, float]:
        """Kinds of errors, the number of reference words, and how many texts normalise to nothing.

        A reference that does so has no words, and those of the answer are insertions; an answer that does so loses all.
        """
        _, words, *errors, references, answers = map(int, sums)
        return {
            **dict(zip(("substitutions", "deletions", "insertions"), errors, strict=True)),
            "words" if self._unit is Unit.word else "characters": words,
            "empty_references": references,
            "empty_answers": answers,
        }

    def tally(self, prediction: Prediction) -> tuple[float, ...]:
        """Wrong words (or characters), and words; then the errors by kind, and whether either text has no words."""
        reference = self._normalized(prediction.reference)
        same = prediction.answer == prediction.reference
        answer = reference if same else self._normalized(prediction.answer)
        *errors, words = (0, 0, 0, len(reference.split())) if answer == reference else _errors(reference, answer)
        return sum(errors), words, *errors, not reference, not answer

    def score(self, sums: Sequence[float]) -> float:
        """Errors by reference words; where there is no word at all, the number of inserted ones."""
        return sums[0] / max(sums[1], 1)

    def scores(self, sums_RK: "Floats") -> "Floats":
        """`score` of R sets at once, from their summed tallies; faster where a task computes whole columns."""
        import numpy as np

        rate_R: Floats = sums_RK[:, 0] / np.maximum(sums_RK[:, 1], 1.0)
        return rate_R

    def _normalized(self, text: str) -> str:
        text = without_stamps(text) if self.timestamps else text
        text = normalized(spoken_words(text) if self.conversational else text, self._normalizer).strip()
        return graphemes(text) if self._unit is Unit.character else text


def _errors(reference: str, answer: str) -> tuple[int, int, int, int]:
    """Substitutions, deletions, insertions, and the number of words in the reference."""
    import jiwer

    counts = jiwer.process_words([reference], [answer])
    words = counts.hits + counts.substitutions + counts.deletions
    return counts.substitutions, counts.deletions, counts.insertions, words
