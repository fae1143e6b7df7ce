"""Tasks with a closed set of answers: which one is read from what the model says, or from what it finds likely."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from fastadasp.tasks.base import Example, Prediction, Task
from fastadasp.tasks.reading.options import Options
from fastadasp.tasks.reading.reader import read_answer

if TYPE_CHECKING:
    from fastadasp.statistics.score import Floats

Scoring = Enum("Scoring", ["generate", "likelihood", "both"])
"""`generate`: the model answers in its own words, which are read; `likelihood`: the likeliest option is the answer, no
word is generated; `both`: the words are the answer, and the likeliest options are scored beside them."""

Likelihood = Enum("Likelihood", ["sum", "per_token"])
"""The log-likelihood of all tokens of an option, or their mean, which does not favour short options."""

Likelihoods = Mapping[str, Sequence[Sequence[float]]]
"""By option, for each of its wordings, the log-likelihood of each token."""


@dataclass(frozen=True)
class ChoiceTask(Task):
    """Choose one option; scored by accuracy."""

    scoring: Scoring = Scoring.generate
    """generate, likelihood or both."""
    likelihood: Likelihood = Likelihood.sum
    """What makes an option the likeliest: sum or per_token."""

    objective = "accuracy"
    higher_is_better = True
    share = True

    def scores(self, sums_RK: "Floats") -> "Floats":
        """`score` of R sets at once, from their summed tallies; faster where a task computes whole columns."""
        from fastadasp.statistics.score import share

        return share(sums_RK)

    @property
    def generates(self) -> bool:
        """Whether the model answers in its own words."""
        return self.scoring is not Scoring.likelihood

    def wordings(self, example: Example) -> Mapping[str, Sequence[str]]:
        """By option, the answers whose likelihood is to be scored; empty where none is."""
        return {} if self.scoring is Scoring.generate else self.wordings_of(example)

    @abstractmethod
    def wordings_of(self, example: Example) -> Mapping[str, Sequence[str]]:
        """By option, the answers by which a model would give it."""

    @abstractmethod
    def options_of(self, meta: Mapping[str, object]) -> Options:
        """The options of an example whose further fields are `meta`, as the reader looks for them."""

    def parse(self, text: str, example: Example) -> str:
        """The option that the answer gives; empty where no single one is clear."""
        return read_answer(text, self.options_of(example.meta), example.instruction).option

    def decide(self, text: str, likelihoods: Likelihoods, example: Example) -> str:
        """The answer, from the model's raw text and what `wordings` scored."""
        return self.parse(text, example) if self.generates else likeliest(likelihoods, self.likelihood)

    def interpreted(self, prediction: Prediction) -> bool:
        """Whether the model's text holds more than the name of an option, so that the answer had to be found in it."""
        if not self.generates or not prediction.answer:
            return False
        return not read_answer(prediction.text, self.options_of(prediction.meta)).bare

    def details(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Accuracies of the likeliest options, by either likelihood, where options were scored."""
        if self.scoring is Scoring.generate:
            return {}
        return {
            f"accuracy_likelihood_{kind.name}": sum(
                likeliest(prediction.likelihoods, kind) == prediction.reference for prediction in predictions
            )
            / len(predictions)
            for kind in Likelihood
        }


def likeliest(likelihoods: Likelihoods, kind: Likelihood) -> str:
    """The option whose wordings together are the likeliest, the first of equal ones; empty if none was scored."""
    scores = {option: _together(wordings, kind) for option, wordings in likelihoods.items()}
    return max(scores, key=lambda option: scores[option]) if scores else ""


def _together(wordings: Sequence[Sequence[float]], kind: Likelihood) -> float:
    """The logarithm of the summed likelihoods of wordings that exclude each other: a letter, a text."""
    each = [sum(tokens) / (len(tokens) if kind is Likelihood.per_token else 1) for tokens in wordings]
    largest = max(each)
    return largest + math.log(sum(math.exp(score - largest) for score in each))
