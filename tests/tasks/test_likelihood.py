"""Answers by likelihood: which option is the likeliest, and what a run reports of it."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.choice_task import Likelihood, Scoring, likeliest
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA, Scored

EXAMPLE = Example("1", (), "", "A", meta={"choices": ["red", "blue car", "C"]})


def test_the_sum_favours_short_options_and_the_mean_does_not() -> None:
    scores = {"A": [[-2.0]], "B": [[-1.0, -0.5, -1.5]]}
    assert likeliest(scores, Likelihood.sum) == "A"
    assert likeliest(scores, Likelihood.per_token) == "B"


def test_the_wordings_of_an_option_share_its_likelihood() -> None:
    apart = {"A": [[math.log(0.3)]], "B": [[math.log(0.2)], [math.log(0.4), math.log(0.5)]]}
    assert likeliest(apart, Likelihood.sum) == "B"  # 0.2 + 0.4 * 0.5 = 0.4
    assert likeliest({"A": [[-1.0]], "B": [[-1.0]]}, Likelihood.sum) == "A"
    assert likeliest({}, Likelihood.sum) == ""


@pytest.mark.parametrize(
    ("scored", "wordings"),
    [
        (Scored.letter, {"A": ("A",), "B": ("B",), "C": ("C",)}),
        (Scored.text, {"A": ("red",), "B": ("blue car",), "C": ("C",)}),
        (Scored.either, {"A": ("A", "red"), "B": ("B", "blue car"), "C": ("C",)}),
    ],
)
def test_letters_texts_or_both_are_scored(tmp_path: Path, scored: Scored, wordings: dict[str, tuple[str, ...]]) -> None:
    assert SQA(tmp_path, scoring=Scoring.both, scored=scored).wordings(EXAMPLE) == wordings
    assert SQA(tmp_path, scored=scored).wordings(EXAMPLE) == {}


def test_words_decide_unless_likelihood_alone_is_asked_for(tmp_path: Path) -> None:
    scores = {"A": [[-1.0]], "B": [[-2.0]], "C": [[-3.0]]}
    for scoring, answer in ((Scoring.generate, "B"), (Scoring.both, "B"), (Scoring.likelihood, "A")):
        assert SQA(tmp_path, scoring=scoring).decide("The answer is B.", scores, EXAMPLE) == answer


def test_both_accuracies_are_reported(tmp_path: Path) -> None:
    scores = {"happy": ((-1.0,),), "sad": ((-0.7, -0.7),), "angry": ((-9.0,),), "neutral": ((-9.0,),)}
    found = [
        Prediction("1", "sad", "sad", "sad", likelihoods=scores),
        Prediction("2", "well", "", "happy", likelihoods=scores),
        Prediction("3", "", "", "happy", error="cut off"),
    ]
    metrics = ER(tmp_path, scoring=Scoring.both).metrics(found)
    assert metrics["accuracy"] == pytest.approx(1 / 3)
    assert metrics["accuracy_likelihood_sum"] == pytest.approx(1 / 3)
    assert metrics["accuracy_likelihood_per_token"] == pytest.approx(1 / 3)
    assert metrics["unanswered"] == 2
    assert "accuracy_likelihood_sum" not in ER(tmp_path).metrics(found)


@pytest.mark.parametrize("scoring", ["likelihood", "both"])
def test_a_run_stores_the_likelihood_of_every_option(evaluate: Callable[..., tuple[Path, float]], scoring: str) -> None:
    folder, accuracy = evaluate(
        "task=sqa", "task.limit=3", f"task.scoring={scoring}", "merge.ratio=0.3", "merge.layer=1"
    )
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    metrics = json.loads((folder / "metrics.json").read_text())["quality"]
    assert metrics["accuracy"] == accuracy
    assert {"accuracy_likelihood_sum", "accuracy_likelihood_per_token"} <= metrics.keys()
    for line in lines:
        assert [len(wordings) for wordings in line["likelihoods"].values()] == [2, 2, 2, 2]
        assert all(score < 0 for wordings in line["likelihoods"].values() for word in wordings for score in word)
        likely = likeliest(line["likelihoods"], Likelihood.sum)
        assert (line["text"], line["new_tokens"], line["answer"]) == ("", 0, likely) or scoring == "both"
        assert line["audio_tokens_per_layer"][-1] < line["audio_tokens"]
    assert any(line["text"] for line in lines) == (scoring == "both")
