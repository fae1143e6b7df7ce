"""Tasks whose answer is one of a few labels, which the model names in its own words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from fastadasp.data.manifest import Field, Record, read_manifest
from fastadasp.errors import ConfigError
from fastadasp.files.shelf import mapped
from fastadasp.files.text import shown
from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.choice_task import ChoiceTask
from fastadasp.tasks.reading.options import Options

if TYPE_CHECKING:
    from fastadasp.statistics.score import Floats, Score


@dataclass(frozen=True)
class Classification(ChoiceTask):
    """Name a property of the speech; scored by accuracy, macro recall and macro F1."""

    reference: str = "label"
    """Manifest field that holds the label, or one of its synonyms."""
    instruction: str = ""
    """`{labels}` is replaced by the labels, as in "happy, sad or angry"."""
    labels: dict[str, list[str]] | None = None
    """Each label and the further words that count as it; None for the task's own set."""

    own_labels: ClassVar[Mapping[str, Sequence[str]]]
    own_wordings: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Further words and phrases by which answers name the task's own labels; manifests may not use them."""
    own_codes: ClassVar[Mapping[str, str]] = {}
    """Codes of corpora for words of the labels, as manifests may use them."""
    version = 2

    def __post_init__(self) -> None:
        words = [word for label, synonyms in self._labels.items() for word in (label, *synonyms)]
        if len(self._labels) < 2:
            raise ConfigError(f"task.labels must name at least two labels, got {', '.join(self._labels)}")
        if wrong := sorted({word for word in words if words.count(word) > 1 or word != word.lower().strip()}):
            raise ConfigError(f"task.labels: words must be lower case and belong to one label: {', '.join(wrong)}")

    @property
    def _labels(self) -> Mapping[str, Sequence[str]]:
        return self.labels or self.own_labels

    @cached_property
    def _label_of(self) -> Mapping[str, str]:
        named = {word: label for label, synonyms in self._labels.items() for word in (label, *synonyms)}
        codes = {code: named[word] for code, word in self.own_codes.items() if word in named}
        return {**codes, **named}

    @cached_property
    def _options(self) -> Options:
        more = {} if self.labels else self.own_wordings
        return Options.of_labels({label: (*words, *more.get(label, ())) for label, words in self._labels.items()})

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio` and a label."""
        records = read_manifest(self.manifest, {self.reference: Field(object)}, self.limit)
        self.refuse(records, self._problem)
        return mapped(records, self._example)

    def _example(self, record: Record) -> Example:
        *others, last = self._labels
        return Example(
            id=record.id,
            audio=record.audio,
            instruction=self.instruction.replace("{labels}", f"{', '.join(others)} or {last}"),
            reference=self._label_of[_word(record.fields[self.reference])],
            seconds=record.seconds,
            task=self.name,
            meta=record.fields,
        )

    def _problem(self, record: Record) -> str | None:
        value = record.fields[self.reference]
        if _word(value) in self._label_of:
            return None
        return (
            f"field {self.reference!r} must be one of {', '.join(self._labels)}, or a word for one of them; "
            f"got {shown(value)} (task.labels names other labels; lines with none of them must be left out)"
        )

    def options_of(self, meta: Mapping[str, object]) -> Options:
        """The options of an example whose further fields are `meta`, as the reader looks for them.

        They are the same for every example.
        """
        return self._options

    def wordings_of(self, example: Example) -> Mapping[str, Sequence[str]]:
        """By option, the answers by which a model would give it: the labels themselves."""
        return {label: (label,) for label in self._labels}

    def tally(self, prediction: Prediction) -> tuple[float, ...]:
        """Whether it is right, and 1; then a confusion table with a 1 in the row of the reference: all labels, none."""
        labels = list(self._labels)
        answers = [*labels, ""]
        answer = prediction.answer if prediction.answer in self._labels else ""
        table = [0.0] * (len(labels) * len(answers))
        table[labels.index(prediction.reference) * len(answers) + answers.index(answer)] = 1.0
        return *super().tally(prediction), *table

    def details_of(self, sums: Sequence[float]) -> dict[str, float]:
        """`macro_recall` (the field's unweighted accuracy) and `macro_f1`, over labels that occur.

        An answer without a label is a class of its own: it lowers recall without lowering another label's precision.
        """
        import numpy as np

        sums_RK = np.array([sums[self.objective_counts :]], dtype=np.float64)
        return {name: score.one(sums_RK[0]) for name, score in self.further().items()}

    def further(self) -> "Mapping[str, Score]":
        """Scores beside the objective of which intervals are wanted, by name, as functions of all counts of a tally."""
        from fastadasp.statistics.score import Score

        counts = (self.objective_counts, None)
        return {
            "macro_recall": Score(macro_recall, higher_is_better=True, counts=counts),
            "macro_f1": Score(macro_f1, higher_is_better=True, counts=counts),
        }


def macro_recall(sums_RK: "Floats") -> "Floats":
    """The mean recall of the labels that occur, of R sets with summed confusion tables."""
    hits_RC, occurring_RC, _ = _counted(sums_RK)
    return _mean_of_occurring(hits_RC, occurring_RC, occurring_RC)


def macro_f1(sums_RK: "Floats") -> "Floats":
    """The mean F1 of the labels that occur, of R sets with summed confusion tables."""
    hits_RC, occurring_RC, named_RC = _counted(sums_RK)
    return _mean_of_occurring(2 * hits_RC, occurring_RC + named_RC, occurring_RC)


def _counted(sums_RK: "Floats") -> tuple["Floats", "Floats", "Floats"]:
    """(R, C) each: right answers of C labels, references, answers. A table has C rows and C + 1 columns."""
    import numpy as np

    labels = (math.isqrt(4 * sums_RK.shape[1] + 1) - 1) // 2
    table_RCA = sums_RK.reshape(-1, labels, labels + 1)
    hits_RC: Floats = np.diagonal(table_RCA[:, :, :labels], axis1=1, axis2=2)
    return hits_RC, table_RCA.sum(2), table_RCA[:, :, :labels].sum(1)


def _mean_of_occurring(parts_RC: "Floats", whole_RC: "Floats", occurring_RC: "Floats") -> "Floats":
    """(R,) means over the labels that occur in a set."""
    import numpy as np

    occurs_RC = occurring_RC > 0
    shares_RC = np.divide(parts_RC, whole_RC, out=np.zeros_like(whole_RC), where=occurs_RC)
    means_R: Floats = shares_RC.sum(1) / np.maximum(occurs_RC.sum(1), 1)
    return means_R


def _word(value: object) -> str:
    """A label as manifests may write it: a text in any case, a whole number, or true and false."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).strip().lower() if isinstance(value, str | int) else ""
