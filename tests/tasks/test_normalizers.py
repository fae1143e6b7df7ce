"""Normalisers: by language, against Whisper's own; what texts that normalise to nothing cost."""

import json
from pathlib import Path

import jiwer
import pytest
import whisper_normalizer.english
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishSpellingNormalizer

from fastadasp.data.manifest import ManifestError
from fastadasp.errors import ConfigError
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Prediction
from fastadasp.tasks.normalizers import Normalizer, Unit, graphemes, normalizer, spoken_words
from tests.helpers.readings import cases


def rates(task: ASR, reference: str, hypothesis: str) -> dict[str, float]:
    return task.metrics([Prediction("1", hypothesis, hypothesis, reference)])


WHISPERS_OWN = {
    "uh-huh": 1.0,  # "uh" is a hesitation and goes, "huh" stays
    "uh huh yes": 0.5,
    "june third eighteen seventy one": 1 / 3,  # "June 3" keeps its 3
    "ten thirty": 2.0,  # 1030 against 10 30
    "20mm wide": 1 / 3,  # "mm" by itself is a hesitation
}
"""References whose error rate a person would call 0, and Whisper's normaliser does not."""


@pytest.mark.parametrize("case", cases("normaliser_given.jsonl"), ids=lambda case: case["reference"])
def test_given_pairs_have_their_rate(tmp_path: Path, case: dict[str, str]) -> None:
    found = rates(ASR(tmp_path, normalizer=Normalizer[case["normalizer"]]), case["reference"], case["hypothesis"])
    expected = {"?": found["wer"], "1/4": 0.25, "0 if marks removed w/o splitting": 0.0}.get(case["wer"], case["wer"])
    assert found["wer"] == pytest.approx(WHISPERS_OWN.get(case["reference"], expected))


@pytest.mark.parametrize("case", cases("normaliser_given.jsonl"), ids=lambda case: case["reference"])
def test_english_is_whispers_own_in_two_implementations(case: dict[str, str]) -> None:
    transformers = EnglishTextNormalizer(EnglishSpellingNormalizer().mapping)
    for text in (case["reference"], case["hypothesis"]):
        assert normalizer(Normalizer.english)(text) == transformers(text)


def test_what_is_looked_for_once_is_replaced_as_whisper_replaces_it() -> None:
    """Every pattern of Whisper's, inside sentences of all kinds, against the untouched normaliser."""
    whole = whisper_normalizer.english.EnglishTextNormalizer()
    patterns = [*whole.replacers, r"\bhmm\b", r"\buh\b"]
    assert len(patterns) > 50
    words = [pattern.replace(r"\b", "") for pattern in patterns] + ["twenty", "colour", "x", "$5.10", "naïve"]
    for word in words:
        for text in (
            *(word, f"the {word} came", f"THE {word.upper()}, came", f"a{word}b", f"he{word} ten", f"we {word}."),
            *(f"wo(x){word}", f"[noise] {word}", f"<{word}> it", f"she 's {word}", f"{word}-{word} 1,000"),
        ):
            assert normalizer(Normalizer.english)(text) == whole(text), text


@pytest.mark.parametrize("name", ["normaliser_first", "normaliser_second", "normaliser_third"])
def test_pairs_of_many_languages_have_the_rate_that_a_person_gives_them(tmp_path: Path, name: str) -> None:
    for case in cases(f"{name}.jsonl"):
        task = ASR(tmp_path, language=case["language"], conversational=case.get("conversational", False), silence=True)
        assert rates(task, case["reference"], case["hypothesis"])[task.objective] == pytest.approx(case["rate"]), case


@pytest.mark.parametrize("text", ["Die Bäume, sie blühen!", "¿Qué hora es? [ruido] Las 10.", "l'eau (froide) coûte 3€"])
def test_basic_is_whispers_where_no_marks_combine(text: str) -> None:
    assert normalizer(Normalizer.basic)(text) == BasicTextNormalizer()(text)


@pytest.mark.parametrize(
    ("language", "reference", "hypothesis", "metric", "rate"),
    [
        ("English", "He paid twenty dollars.", "he paid $20", "wer", 0),
        ("en-GB", "the colour", "the color", "wer", 0),
        ("German", "Grüße aus Köln!", "grüße aus köln", "wer", 0),
        ("Hindi", "यह एक परीक्षा है", "यह एक परिक्षा है", "wer", 1 / 4),
        ("Arabic", "السَّلَامُ عَلَيْكُمْ", "السلام عليكم", "wer", 0),
        ("Arabic", "ذهب الولد إلى المدرسة", "ذهب الولد الى المدرسه", "wer", 2 / 4),  # two letters are written otherwise
        ("Hebrew", "שָׁלוֹם", "שלום", "wer", 0),
        ("Chinese", "今天天气很好。", "今天 天气很好", "cer", 0),
        ("zh-CN", "今天天气很好", "今天天器好", "cer", 2 / 6),
        ("Japanese", "今日はいい天気です", "今日はいい天気でした", "cer", 2 / 9),
        ("Thai", "สวัสดีครับ", "สวัสดีคะ", "cer", 2 / 7),  # a letter and its vowel sign are one character
        ("Korean", "오늘 날씨가 좋다", "오늘 날씨 좋다", "wer", 1 / 3),
    ],
)
def test_the_language_chooses_normaliser_and_unit(
    tmp_path: Path, language: str, reference: str, hypothesis: str, metric: str, rate: float
) -> None:
    task = ASR(tmp_path, language=language)
    assert task.objective == metric
    assert rates(task, reference, hypothesis)[metric] == pytest.approx(rate)


def test_the_character_error_rate_is_jiwers_where_each_character_stands_alone(tmp_path: Path) -> None:
    reference, hypothesis = "今天天气很好", "今天的天气好"
    assert rates(ASR(tmp_path, language="Chinese"), reference, hypothesis)["cer"] == jiwer.cer(reference, hypothesis)
    assert graphemes("a é ก่า") == "a é ก่ า"


def test_the_signature_names_everything_that_decides_the_rate(tmp_path: Path) -> None:
    words = ASR(tmp_path).scorer()["signature"]
    characters = ASR(tmp_path, language="Chinese", conversational=True).scorer()["signature"]
    assert words.startswith("wer|normalizer:english|unit:word|language:English|marks:as written|jiwer:4.")
    assert characters.startswith("cer|normalizer:basic|unit:grapheme|language:Chinese|marks:conversational|jiwer:4.")
    assert "whisper-normalizer:" in words


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate", "empty_references", "empty_answers"),
    [
        ("", "", 0, 1, 1),
        ("", "two words", 2, 1, 0),  # nothing was said: each word is an insertion, counted as if one word were there
        ("uh", "", 0, 1, 1),
        ("uh", "so", 1, 1, 0),
        ("[noise]", "", 0, 1, 1),
        ("three words here", "", 1, 0, 1),
        ("three words here", "uh", 1, 0, 1),
    ],
)
def test_texts_that_normalise_to_nothing_are_counted(
    tmp_path: Path, reference: str, hypothesis: str, rate: float, empty_references: int, empty_answers: int
) -> None:
    found = rates(ASR(tmp_path, silence=True), reference, hypothesis)
    assert found["wer"] == rate
    assert (found["empty_references"], found["empty_answers"]) == (empty_references, empty_answers)


def test_silence_beside_speech_adds_its_insertions_to_the_corpus(tmp_path: Path) -> None:
    pairs = [Prediction("1", "oh well", "oh well", ""), Prediction("2", "it is late", "it is late", "it is late")]
    found = ASR(tmp_path, silence=True, normalizer=Normalizer.none).metrics(pairs)
    assert (found["wer"], found["insertions"], found["words"]) == (pytest.approx(2 / 3), 2, 3)
    assert found["unanswered"] == 0


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        ("so [noise] well", "so well"),
        ("[laughter-yeah] right", "yeah right"),
        ("i w(ant)- want it", "i want it"),
        ("th- the house", "the house"),
        ("th[e]- the house", "the house"),
        ("<sil> so <unk>", "so"),
        ("{breath} ((i think)) so", "i think so"),
        ("(( )) okay", "okay"),
        ("[reali-/really] good", "really good"),
        ("them_1 all", "them all"),
        ("%um yes", "um yes"),
        ("<b_aside> no <e_aside>", "no"),
        ("twenty-one well-known men", "twenty-one well-known men"),
        ("he said 'no' - twice", "he said 'no' - twice"),
    ],
)
def test_marks_of_conversational_corpora_are_no_words(tmp_path: Path, marked: str, said: str) -> None:
    assert spoken_words(marked).split() == said.split()
    assert rates(ASR(tmp_path, conversational=True), marked, said)["wer"] == 0


def manifest(folder: Path, *texts: object) -> Path:
    folder.joinpath("a.wav").touch()
    lines = [{"id": str(number), "audio": "a.wav", "seconds": 1.0, "text": text} for number, text in enumerate(texts)]
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def test_silence_is_a_transcript_where_the_task_says_so(tmp_path: Path) -> None:
    path = manifest(tmp_path, "", "hello")
    with pytest.raises(ManifestError, match=r"line 1: field 'text' must be .* not blank.*task\.silence=true"):
        ASR(path).examples()
    assert [example.reference for example in ASR(path, silence=True).examples()] == ["", "hello"]


def test_passages_that_their_corpus_does_not_score_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"line 2: .*TED-LIUM does not score it; leave the line out"):
        ASR(manifest(tmp_path, "hello", "ignore_time_segment_in_scoring")).examples()
    with pytest.raises(ManifestError, match="line 1: field 'text' must be a text, got 5"):
        ASR(manifest(tmp_path, 5)).examples()


def test_unspaced_transcripts_are_not_compared_word_by_word(tmp_path: Path) -> None:
    path = manifest(tmp_path, "今天天气很好。", "我们去公园散步吧。")
    with pytest.raises(ConfigError, match=r"no spaces between words.*task\.language=Chinese.*task\.unit=character"):
        ASR(path).examples()
    assert len(ASR(path, language="Chinese").examples()) == 2
    assert len(ASR(path, unit=Unit.character).examples()) == 2
    assert len(ASR(manifest(tmp_path, "今天 天气 很 好"), normalizer=Normalizer.basic).examples()) == 1
