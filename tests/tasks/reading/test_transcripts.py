"""Transcripts and translations inside chatty answers, and texts that merely begin like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadasp.tasks.reading.transcripts import unwrap
from tests.helpers.readings import cases, wrong

FILES = (
    "transcripts_given",
    "transcripts_first",
    "transcripts_second",
    "transcripts_third",
    "transcripts_fourth",
    "transcripts_fifth",
    "transcripts_sixth",
    "transcripts_seventh",
    "transcripts_eighth",
    "transcripts_ninth",
    "transcripts_tenth",
    "transcripts_eleventh",
    "transcripts_quoted",
)


@pytest.mark.parametrize("name", FILES)
def test_only_what_wraps_the_text_is_cut(name: str) -> None:
    assert not list(wrong(f"{name}.jsonl"))


@pytest.mark.parametrize("name", FILES)
def test_a_text_that_equals_its_reference_stays_whole(name: str) -> None:
    for case in cases(f"{name}.jsonl"):
        text = case["output"]
        assert unwrap(text, reference=text, kind="translation", language="German").split() == text.split()


@given(st.text(max_size=120))
def test_any_text_that_equals_its_reference_stays_whole(text: str) -> None:
    assert unwrap(text, reference=text).split() == text.split()


@given(st.text(alphabet="abc de'\",:.“”\n", max_size=60))
def test_nothing_is_ever_added(text: str) -> None:
    assert "".join(unwrap(text).split()) in "".join(text.split())


SENTENCES = ["Es ist spät.", "it is late", "现在很晚了。", "He's here; isn't he?", "ten past nine"]


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize(
    "wrapping",
    [
        "Sure! Here is the transcription:\n\n{}",
        'The translation of the speech into German is: "{}"',
        "Die Übersetzung lautet: „{}“",
        "翻译\uff1a{}",
        "<|en|>{}<|endoftext|>",
        "「{}」",
        '"{}"\n\nLet me know if you need anything else!',
        'The speech is of a man speaking, in a English, saying, "{}".',
        'The speech is of a man speaking, in a Southwestern Mandarin, saying, "{}".',
        'The audio is of a woman speaking in German, saying: "{}"',
    ],
)
def test_any_sentence_comes_out_of_any_wrapping(sentence: str, wrapping: str) -> None:
    assert unwrap(wrapping.format(sentence)) == sentence
