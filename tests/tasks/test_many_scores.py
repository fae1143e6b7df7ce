"""Scores of many sets at once are those of each set by itself, and those of the libraries that define them."""

from pathlib import Path

import numpy as np
import pytest
import sacrebleu

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
