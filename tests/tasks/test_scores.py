"""Scores against the libraries that define them, and what a failed answer costs."""

import random
from pathlib import Path

import jiwer
import pytest
import sacrebleu
from whisper_normalizer.english import EnglishTextNormalizer

from fastadasp.tasks.asr import ASR, Normalizer
from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA
from fastadasp.tasks.st import ST


def predictions(*pairs: tuple[str, str]) -> list[Prediction]:
    """Predictions from (reference, answer) pairs."""
    return [
        Prediction(id=str(number), text=answer, answer=answer, reference=reference, meta={"choices": list("abcd")})
        for number, (reference, answer) in enumerate(pairs)
    ]


SPOKEN = [
    ("mister brown's colour is grey", "Mr. Brown's color is gray!"),
    ("he paid twenty one dollars", "He paid $21."),
    ("the quick brown fox", "the quick red fox jumps"),
    ("nothing was heard at all", ""),
]


def test_wer_is_jiwers_over_normalised_text(tmp_path: Path) -> None:
    normalize = EnglishTextNormalizer()
    expected = jiwer.wer([normalize(pair[0]) for pair in SPOKEN], [normalize(pair[1]) for pair in SPOKEN])
    scores = ASR(tmp_path).metrics(predictions(*SPOKEN))
    assert scores["wer"] == pytest.approx(expected)
    # By hand: spelling and numbers agree; brown -> red, one word too many, five words lost.
    assert (scores["substitutions"], scores["insertions"], scores["deletions"]) == (1, 1, 5)
    assert scores["wer"] == pytest.approx(7 / scores["words"])


def test_wer_sums_over_the_corpus_instead_of_averaging_utterances(tmp_path: Path) -> None:
    sentence = "the old man walked slowly down to the harbour"
    scores = ASR(tmp_path).metrics(predictions(("stop", "go"), (sentence, sentence)))
    assert scores["wer"] == pytest.approx(0.1)


def test_the_normaliser_is_a_setting(tmp_path: Path) -> None:
    pair = ("Colour, ÉTÉ", "color, été")
    wers = {kind.name: ASR(tmp_path, normalizer=kind).metrics(predictions(pair))["wer"] for kind in Normalizer}
    assert wers == {"auto": 0, "english": 0, "basic": 0.5, "none": 1}
    assert ASR(tmp_path, normalizer=Normalizer.basic).scorer()["normalizer"] == "basic"


def test_references_without_words_collect_insertions(tmp_path: Path) -> None:
    assert ASR(tmp_path).metrics(predictions(("hmm", "")))["wer"] == 0  # the normaliser drops hesitations
    assert ASR(tmp_path).metrics(predictions(("hmm", "so it is"), ("well yes", "well yes")))["wer"] == 1.5


TRANSLATED = [
    ("Der Hund schläft auf dem Sofa.", "Der Hund schläft auf der Couch."),
    ("Ich habe heute keine Zeit.", "Ich habe heute keine Zeit."),
    ("Wo ist der Bahnhof?", ""),
]


def test_bleu_and_chrf_are_sacrebleus(tmp_path: Path) -> None:
    references, answers = [[pair[0] for pair in TRANSLATED]], [pair[1] for pair in TRANSLATED]
    scores = ST(tmp_path).metrics(predictions(*TRANSLATED))
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(answers, references, tokenize="13a").score)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(answers, references).score)
    assert 0 < scores["bleu"] < 100
    assert "tok:13a" in ST(tmp_path).scorer()["bleu"]
    assert "tok:zh" in ST(tmp_path, tokenize="zh").scorer()["bleu"]


def test_an_unanswered_question_is_a_wrong_one(tmp_path: Path) -> None:
    scores = SQA(tmp_path).metrics(predictions(("A", "A"), ("B", "C"), ("D", "")))
    assert (scores["accuracy"], scores["unanswered"]) == (pytest.approx(1 / 3), 1)


def test_classification_by_hand(tmp_path: Path) -> None:
    scores = ER(tmp_path).metrics(
        predictions(*[("happy", "happy")] * 3, ("happy", "sad"), ("sad", "sad"), ("angry", ""), ("angry", "angry"))
    )
    assert scores["accuracy"] == pytest.approx(5 / 7)
    assert scores["macro_recall"] == pytest.approx((3 / 4 + 1 + 1 / 2) / 3)
    # F1 = 2 hits / (2 hits + misses + false alarms); neutral never occurs and has no say
    assert scores["macro_f1"] == pytest.approx((6 / 7 + 2 / 3 + 2 / 3) / 3)
    assert scores["unanswered"] == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_sums_of_tallies_score_any_resample_as_all_metrics_do(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    labels = predictions(("happy", "happy"), ("sad", "angry"), ("sad", ""), ("neutral", "neutral"))
    letters = predictions(("A", "A"), ("B", "C"), ("D", ""))
    german = predictions(
        ("Der Hund schläft heute im Garten.", "Der Hund schläft im Garten."),
        ("Sie trinkt am Morgen einen Kaffee.", "Sie trinkt am Morgen einen kalten Tee."),
        ("Wir gehen nach Hause.", ""),
    )
    sets = {ASR: predictions(*SPOKEN), ST: german, ER: labels, SQA: letters}
    for kind, found in sets.items():
        task = kind(tmp_path)
        resample = chosen.choices(found, k=7)
        sums = [sum(counts) for counts in zip(*map(task.tally, resample), strict=True)]
        assert task.score(sums) == pytest.approx(task.metrics(resample)[task.objective])


def test_every_task_says_how_many_answers_it_had_to_interpret(tmp_path: Path) -> None:
    choices = {"choices": ["red", "blue"]}
    texts = ("B", "The answer is A.", "A or B", "(b) blue")
    answers = [SQA(tmp_path).parse(text, Example("1", (), "", "", meta=choices)) for text in texts]
    found = [
        Prediction(str(number), text, answer, "B", meta=choices)
        for number, (text, answer) in enumerate(zip(texts, answers, strict=True))
    ]
    scores = SQA(tmp_path).metrics(found)
    assert (scores["interpreted"], scores["unanswered"], scores["accuracy"]) == (2, 1, 0.5)
    spoken = [Prediction("1", "It is  late.", "It is late.", "it is late"), Prediction("2", '"Yes."', "Yes.", "yes")]
    assert ASR(tmp_path).metrics(spoken)["interpreted"] == 1
    emotions = [Prediction("1", "Happy.", "happy", "happy"), Prediction("2", "not sad but happy", "happy", "happy")]
    assert ER(tmp_path).metrics(emotions)["interpreted"] == 1


def test_the_objective_of_all_tasks_is_the_score_of_summed_tallies(tmp_path: Path) -> None:
    pairs = predictions(("A", "A"), ("B", "C"), ("D", ""))
    for task in (SQA(tmp_path), ASR(tmp_path), ST(tmp_path)):
        sums = [sum(counts) for counts in zip(*map(task.tally, pairs), strict=True)]
        assert task.metrics(pairs)[task.objective] == task.score(sums)


@pytest.mark.parametrize("sentence", ["Ja.", "Guten Morgen!", "Es ist heute sehr spät.", "是"])
@pytest.mark.parametrize("language", ["German", "Chinese"])
def test_identical_translations_of_any_length_score_100(tmp_path: Path, sentence: str, language: str) -> None:
    assert ST(tmp_path, language=language).metrics(predictions((sentence, sentence)))["bleu"] == pytest.approx(100)


def test_short_references_do_not_make_longer_answers_better_than_sacrebleu_says(tmp_path: Path) -> None:
    mixed = [("Ja.", "Ja."), ("Es ist heute sehr spät.", "Es ist heute spät."), ("Nein.", "Nein, danke.")]
    expected = sacrebleu.corpus_bleu([answer for _, answer in mixed], [[reference for reference, _ in mixed]]).score
    assert ST(tmp_path).metrics(predictions(*mixed))["bleu"] == pytest.approx(expected)
    short = [("Ja.", "Nein."), ("Doch.", "Doch.")]
    bleu = sacrebleu.BLEU(effective_order=True)
    expected = bleu.corpus_score([answer for _, answer in short], [[reference for reference, _ in short]]).score
    assert ST(tmp_path).metrics(predictions(*short))["bleu"] == pytest.approx(expected)
