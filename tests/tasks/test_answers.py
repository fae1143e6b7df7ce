"""Reading answers out of what models really say."""

from pathlib import Path

import pytest

from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Example
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA
from fastadasp.tasks.st import ST
from fastadasp.tasks.sv import SV

PLAIN = Example(id="1", audio=(), instruction="", reference="")


@pytest.mark.parametrize(
    ("text", "transcript"),
    [
        ("he was not an ill disposed young man", "he was not an ill disposed young man"),
        ("  two\nlines ", "two lines"),
        ("<|en|>hello <|notimestamps|> there", "hello there"),
        ("The speech says: 'I don't know'.", "I don't know"),
        ('The original content of this audio is: "Good morning."', "Good morning."),
        ("The transcription of the speech is “abc def”.", "abc def"),
        ("The person in the audio says 'hello'", "hello"),
        ("Sure, here is the transcription: hello there", "hello there"),
        ('"Hello."', "Hello."),
        ('he said "hello"', 'he said "hello"'),
        ("the man said: no", "the man said: no"),
        ("the content of the letter was a surprise", "the content of the letter was a surprise"),
        ("'tis the season", "'tis the season"),
        ("", ""),
        ("<|endoftext|>", ""),
    ],
)
def test_transcripts_and_translations(tmp_path: Path, text: str, transcript: str) -> None:
    assert ASR(tmp_path).parse(text, PLAIN) == transcript
    assert ST(tmp_path).parse(text, PLAIN) == transcript


def test_german_quotation_marks_inside_a_translation_stay(tmp_path: Path) -> None:
    text = "Er sagte: „Das ist die Aufnahme.“"
    assert ST(tmp_path).parse(text, PLAIN) == text


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("sad", "sad"),
        ("Angry.", "angry"),
        ("The speaker sounds excited and joyful", "happy"),
        ("The speaker is not happy, she is angry", "angry"),
        ("unhappy", "sad"),
        ("The emotion is neutral, not sad.", "neutral"),
        ("sadly", ""),
        ("I cannot tell", ""),
        ("", ""),
    ],
)
def test_emotions(tmp_path: Path, text: str, label: str) -> None:
    assert ER(tmp_path).parse(text, PLAIN) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Yes, there is only one speaker in the audio clip", "yes"),
        ("no", "no"),
        ("No.", "no"),
        ("There are two speakers", "no"),
        ("There is more than one speaker", "no"),
        ("nothing", ""),
    ],
)
def test_speaker_verification(tmp_path: Path, text: str, label: str) -> None:
    assert SV(tmp_path).parse(text, PLAIN) == label


CHOICES = ["a red car", "the bus", "Paris, France", "I do not know"]


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(c)", "C"),
        ("D.", "D"),
        ("B. the bus", "B"),
        ("A) a red car", "A"),
        ("The answer is C.", "C"),
        ("the correct answer is: (b)", "B"),
        ("The answer is a", "A"),
        ("The answer is A because of the colour", "A"),
        ("The answer is a bus: the bus", "B"),
        ("Option D", "D"),
        ("They took the bus.", "B"),
        ("A red car, not the bus", "A"),
        ("paris france", "C"),
        ("It must be C because of the ticket", "C"),
        ("A man took B", "B"),
        ("A man walked home", ""),
        ("I think so", ""),
        ("E", ""),
        ("", ""),
    ],
)
def test_choices(tmp_path: Path, text: str, letter: str) -> None:
    example = Example(id="1", audio=(), instruction="", reference="A", meta={"choices": CHOICES})
    assert SQA(tmp_path).parse(text, example) == letter


def test_letters_beyond_the_choices_are_no_answer(tmp_path: Path) -> None:
    example = Example(id="1", audio=(), instruction="", reference="A", meta={"choices": ["red", "blue"]})
    assert SQA(tmp_path).parse("C", example) == ""
    assert SQA(tmp_path).parse("blue", example) == "B"
