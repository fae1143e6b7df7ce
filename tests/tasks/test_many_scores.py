"""Scores of many sets at once are those of each set by itself, and those of the libraries that define them."""

from pathlib import Path

import numpy as np
import pytest
import sacrebleu
import torch
from torchmetrics.functional.classification import multiclass_f1_score, multiclass_recall

from fastadasp.errors import ConfigError
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Prediction, Task
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA
from fastadasp.tasks.st import ST

WORDS = ["der", "hund", "schläft", "heute", "im", "garten", "und", "träumt", "von", "einem", "großen", "knochen"]


def sentences(count: int, seed: int) -> list[Prediction]:
    """References of 1 to 9 words, and answers that share more or fewer words with them, down to none."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        words = list(draw.choice(WORDS, draw.integers(1, 10)))
        kept = [word for word in words if draw.random() < 0.7]
        answer = " ".join([*kept, *draw.choice(["katze", *WORDS], draw.integers(0, 3))])
        found.append(Prediction(str(number), answer, answer, " ".join(words)))
    return found


def letters(count: int, seed: int) -> list[Prediction]:
    draw = np.random.default_rng(seed)
    return [Prediction(str(n), "", str(draw.choice(["sad", "happy", ""])), "sad") for n in range(count)]


@pytest.mark.parametrize("kind", [ASR, ST, ER, SQA])
@pytest.mark.parametrize("size", [1, 3, 40])
def test_many_sets_score_as_each_of_them(tmp_path: Path, kind: type[Task], size: int) -> None:
    task = kind(tmp_path)
    found = (sentences if kind in (ASR, ST) else letters)(size, seed=size)
    tallies_NK = np.array([task.tally(prediction) for prediction in found], dtype=np.float64)
    times_RN = np.random.default_rng(0).multinomial(size, np.full(size, 1 / size), 200)
    times_RN[0] = 0
    times_RN[0, 0] = 1
    sums_RK = times_RN @ tallies_NK
    assert task.scores(sums_RK) == pytest.approx([task.score(sums) for sums in sums_RK.tolist()], abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_bleu_of_a_resample_is_sacrebleus_of_its_sentences(tmp_path: Path, seed: int) -> None:
    task, found = ST(tmp_path), sentences(12, seed)
    chosen = np.random.default_rng(seed).integers(0, 12, 12)
    sums_K = np.sum([task.tally(found[index]) for index in chosen], axis=0)
    answers, references = ([getattr(found[index], name) for index in chosen] for name in ("answer", "reference"))
    assert task.scores(sums_K[None].astype(float))[0] == pytest.approx(
        sacrebleu.corpus_bleu(answers, [references]).score
    )


@pytest.mark.parametrize("seed", range(4))
def test_macro_scores_are_those_of_torchmetrics(tmp_path: Path, seed: int) -> None:
    labels = ["happy", "sad", "angry", "neutral"]
    draw = np.random.default_rng(seed)
    references = draw.choice(labels[: 2 + seed % 3], 30)
    answers = [str(draw.choice([*labels, "", reference, reference])) for reference in references]
    found = [Prediction(str(n), "", a, str(r)) for n, (a, r) in enumerate(zip(answers, references, strict=True))]
    scores = ER(tmp_path).metrics(found)
    index = {**{label: number for number, label in enumerate(labels)}, "": 4}
    guessed, true = (torch.tensor([index[str(one)] for one in side]) for side in (answers, references))
    occurring = torch.unique(true)
    for name, measure in (("macro_recall", multiclass_recall), ("macro_f1", multiclass_f1_score)):
        expected = measure(guessed, true, num_classes=5, average="none")[occurring].double().mean().item()
        assert scores[name] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", [ER, ST])
def test_further_scores_of_many_sets_are_those_of_each(tmp_path: Path, kind: type[Task]) -> None:
    task = kind(tmp_path)
    found = (sentences if kind is ST else letters)(12, seed=2)
    tallies_NK = np.array([task.tally(prediction) for prediction in found], dtype=np.float64)
    times_RN = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), 30)
    for name in task.further():
        score = task.measured(name)
        expected = [
            task.metrics([one for one, n in zip(found, times, strict=True) for _ in range(n)]) for times in times_RN
        ]
        assert score.of((times_RN @ tallies_NK)[:, score.columns]) == pytest.approx([each[name] for each in expected])


def test_a_score_without_an_interval_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="task er has no score 'wer' with an interval; it has accuracy, macro_recall, m"
    ):
        ER(tmp_path).measured("wer")
