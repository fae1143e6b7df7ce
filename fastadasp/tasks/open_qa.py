"""Questions whose answer is a text of the model's own words: exact match, token F1, containment, ROUGE-L."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fastadasp.data.manifest import Field, Record, read_manifest
from fastadasp.files.shelf import mapped
from fastadasp.files.text import shown
from fastadasp.tasks.base import Example, Prediction, Task
from fastadasp.tasks.choices import MeaningError, choice_texts, letter_of
from fastadasp.tasks.languages import language_of
from fastadasp.tasks.normalizers import Normalizer, graphemes, normalizer, versions
from fastadasp.tasks.reading.cleaning import clean_answer

if TYPE_CHECKING:
    from fastadasp.statistics.score import Floats, Score

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_LEAD_IN = re.compile(
    r"\A(?:(?:so|therefore|sure)[,:]? )?(?:(?:the|my) )?(?:(?:final|correct|right|short) )?answer"
    r"(?: to (?:the|your) question)?(?: is|:| would be)(?: that)?:? "
    r"|\A(?:die (?:richtige )?)?antwort(?: ist| lautet|:):? "
    r"|\A(?:la )?(?:respuesta|réponse)(?: correcta)?(?: es| est|:):? |\A答案[是为:\uff1a]\s*",
    re.IGNORECASE,
)
"""What announces an answer, in English, German, Spanish, French and Chinese."""
REFERENCES = "references"
"""Field of an example that holds all right answers."""
SCORES = ("token_f1", "exact_match", "containment", "rouge_l")
"""In the order of a tally, the number of answers after the first one."""


@dataclass(frozen=True)
class OpenQA(Task):
    """Answer a question about the speech in free words; of several right answers the best match counts."""

    reference: str = "answer"
    """Manifest field that holds the right answer, a list of right answers, or the letter of one of `choices`."""
    instruction: str = "{question}"
    """`{question}` is replaced by the field of that name; without it the question is heard, and no field is needed."""
    language: str = "English"
    """Of the answers, by name or code: `auto` below follows from it, and articles count for nothing in English."""
    normalizer: Normalizer = Normalizer.auto
    """What both sides go through before they are compared: english, basic or none."""

    name = "open_qa"
    objective = "token_f1"
    higher_is_better = True
    place = 5

    def examples(self) -> Sequence[Example]:
        """One example per manifest line with `id`, `audio`, the right answers and, where it is asked, `question`."""
        fields = {self.reference: Field(object), **({"question": Field(str)} if self._asks else {})}
        records = read_manifest(self.manifest, fields, self.limit)
        self.refuse(records, self._problem)
        return mapped(records, partial(_example, self))

    @property
    def _asks(self) -> bool:
        return "{question}" in self.instruction

    def _problem(self, record: Record) -> str | None:
        value = record.fields[self.reference]
        if right_answers(value, record.fields.get("choices")):
            return None
        return f"field {self.reference!r} must be a text, a number or a list of these, none blank; got {shown(value)}"

    def parse(self, text: str, example: Example) -> str:
        """The answer without reasoning, markup and an announcement such as "The answer is"."""
        answer = " ".join(clean_answer(text).split())
        return _LEAD_IN.sub("", answer).strip() or answer

    def scorer(self) -> dict[str, str]:
        """What both sides go through, and what computes ROUGE-L."""
        return {
            "normalizer": self._normalizer.name,
            "language": language_of(self.language).name,
            **versions("torchmetrics", "whisper-normalizer"),
        }

    def tally(self, prediction: Prediction) -> tuple[float, ...]:
        """Token F1, 1, then the other scores, each the best over the right answers."""
        said = self._tokens(prediction.answer)
        right = [
            self._tokens(text) for text in right_answers(prediction.meta.get(self.reference, prediction.reference))
        ]
        if not said:
            empty = float(any(not tokens for tokens in right))
            return empty, 1.0, empty, empty, empty
        f1 = max(_f1(said, tokens) for tokens in right)
        exact = max(float(said == tokens) for tokens in right)
        held = max(float(_holds(said, tokens)) for tokens in right)
        return f1, 1.0, exact, held, max(_rouge_l(said, tokens) for tokens in right)

    def details_of(self, sums: Sequence[float]) -> dict[str, float]:
        """The scores beside token F1."""
        return {name: sums[at] / sums[1] for at, name in enumerate(SCORES[1:], 2)}

    def scores(self, sums_RK: "Floats") -> "Floats":
        """As in Task."""
        from fastadasp.statistics.score import share

        return share(sums_RK)

    def further(self) -> "Mapping[str, Score]":
        """As in Task."""
        from fastadasp.statistics.score import Score

        return {
            name: Score(partial(_mean, at), higher_is_better=True, share=name != "rouge_l")
            for at, name in enumerate(SCORES[1:], 2)
        }

    @property
    def _normalizer(self) -> Normalizer:
        if self.normalizer is not Normalizer.auto:
            return self.normalizer
        return Normalizer.english if language_of(self.language).english else Normalizer.basic

    def _tokens(self, text: str) -> list[str]:
        known = language_of(self.language)
        plain = normalizer(self._normalizer)(text)
        if self._normalizer is not Normalizer.none:
            plain = _ARTICLES.sub(" ", plain) if known.english else plain
        return (plain if known.spaced else graphemes(plain)).split()


def right_answers(value: object, choices: object = None) -> list[str]:
    """The right answers of a manifest's field; empty where it holds none, or something else.

    choices: of a multiple-choice question, of which `value` may be the letter: then the text is the answer.
    """
    if choices is not None:
        try:
            texts = choice_texts(choices)
            return [texts[letter_of(value, texts, None)]]
        except MeaningError:
            return []
    values = value if isinstance(value, list | tuple) else [value]
    given = [str(one).strip() for one in values if isinstance(one, str | int | float) and not isinstance(one, bool)]
    return given if len(given) == len(values) and all(given) else []


def _example(task: OpenQA, record: Record) -> Example:
    right = right_answers(record.fields[task.reference], record.fields.get("choices"))
    return Example(
        id=record.id,
        audio=record.audio,
        instruction=task.instruction.replace("{question}", str(record.fields.get("question", ""))),
        reference=right[0],
        seconds=record.seconds,
        task=task.name,
        meta={**record.fields, REFERENCES: right},
    )


def _mean(at: int, sums_RK: "Floats") -> "Floats":
    """One of the sums of a tally, divided by the number of answers."""
    means_R: Floats = sums_RK[:, at] / sums_RK[:, 1]
    return means_R


def _f1(said: Sequence[str], right: Sequence[str]) -> float:
    """SQuAD's F1: the harmonic mean of the shares of tokens that the two have in common."""
    common = sum((Counter(said) & Counter(right)).values())
    return 2 * common / (len(said) + len(right))


def _holds(said: Sequence[str], right: Sequence[str]) -> bool:
    """Whether the right answer stands in what was said, word by word."""
    size = len(right)
    return bool(size) and any(list(said[at : at + size]) == list(right) for at in range(len(said) - size + 1))


def _rouge_l(said: Sequence[str], right: Sequence[str]) -> float:
    """The F measure of the longest common subsequence, by torchmetrics."""
    from torchmetrics.functional.text import rouge_score

    if not right:
        return 0.0
    found = rouge_score(
        " ".join(said), " ".join(right), rouge_keys="rougeL", normalizer=str, tokenizer=lambda text: text.split()
    )
    return float(found["rougeL_fmeasure"])
