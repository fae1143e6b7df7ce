"""Tasks whose answer is one of a few labels, which the model names in its own words."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from fastadasp.data.manifest import Field, Record, read_manifest
from fastadasp.errors import ConfigError
from fastadasp.files.shelf import mapped
from fastadasp.files.text import shown
from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.choice_task import ChoiceTask
from fastadasp.tasks.normalizers import versions
from fastadasp.tasks.reading.options import Options


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
        """As in ChoiceTask: the same for every example."""
        return self._options

    def wordings_of(self, example: Example) -> Mapping[str, Sequence[str]]:
        """As in ChoiceTask: the labels themselves."""
        return {label: (label,) for label in self._labels}

    def scorer(self) -> dict[str, str]:
        """What computes recall and F1."""
        return versions("torchmetrics")

    def details(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """`macro_recall` (the field's unweighted accuracy) and `macro_f1`, over labels that occur.

        An answer without a label is a class of its own: it lowers recall without lowering another label's precision.
        """
        import torch
        from torchmetrics.functional.classification import multiclass_f1_score, multiclass_recall

        index = {label: number for number, label in enumerate(self._labels)}
        classes = len(index) + 1
        pairs = array("h")
        for prediction in predictions:
            pairs.extend((index.get(prediction.answer, classes - 1), index[prediction.reference]))
        answers, references = torch.tensor(pairs, dtype=torch.int64).view(-1, 2).T
        occurring = torch.tensor(sorted(set(references.tolist())))
        recall = multiclass_recall(answers, references, num_classes=classes, average="none")
        f1 = multiclass_f1_score(answers, references, num_classes=classes, average="none")
        return super().details(predictions) | {
            "macro_recall": recall[occurring].double().mean().item(),
            "macro_f1": f1[occurring].double().mean().item(),
        }


def _word(value: object) -> str:
    """A label as manifests may write it: a text in any case, a whole number, or true and false."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).strip().lower() if isinstance(value, str | int) else ""
