"""Answers to choice tasks: given ones, own ones written before the reader saw them, and laws for any option."""

import re
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastadasp.tasks.reading.options import Options
from fastadasp.tasks.reading.reader import read_answer
from tests.helpers.readings import cases, wrong

KNOWN = {
    "It might be anger, though neutral is more likely.",
    "60% angry, 40% sad",
    "the first of the four",
    "B, possibly C",
    "ten plus two, so twelve",
    "He wasn't ill, and he didn't miss the bus.",
    "She mentions the cat, but she feeds the dog.",
    "'I was never happy', he says sadly.",
    "She lives in London now, but she was born in Rome. The question asks where she was born: Rome.",
    "The second voice is not a different person.",
}
"""Answers of our own that are read wrongly: percentages, sums, concessions, and what only the story tells."""
FILES = (
    "choices_given",
    "choices_first",
    "choices_second",
    "choices_third",
    "choices_fourth",
    "choices_fifth",
    "choices_sixth",
    "choices_seventh",
    "choices_eighth",
    "choices_ninth",
    "choices_tenth",
)

EMOTIONS = Options.of_labels({"happy": ["excited"], "sad": [], "angry": [], "neutral": ["calm"]})
COLOURS = Options.of_choices(("red", "blue", "green", "yellow"))


@pytest.mark.parametrize("name", FILES)
def test_answers_mean_what_a_careful_person_reads(name: str) -> None:
    found = [case for case in wrong(f"{name}.jsonl") if case[1] not in KNOWN]
    assert not found


def test_at_most_one_in_twenty_answers_of_each_task_is_read_wrongly() -> None:
    for name in FILES:
        tasks = [case["task"] for case in cases(f"{name}.jsonl")]
        errors = [case[0] for case in wrong(f"{name}.jsonl")]
        assert all(errors.count(task) <= 0.05 * tasks.count(task) for task in tasks)


TWO = list(permutations(("A", "B", "C", "D"), 2))


@pytest.mark.parametrize(
    "wording",
    [
        "The answer is not {0} but {1}.",
        "Not {0}, it's {1}",
        "{0}. Wait, actually {1}.",
        "I first thought {0}, but the answer is {1}.",
        "{1}, not {0}",
        "{1} rather than {0}",
        "{0} is wrong. {1} is right.",
        "Answer: {1}\n\nExplanation: option {0} is never mentioned.",
        "nicht {0}, sondern {1}",
        "no es {0}, sino {1}",
        "不是{0}\uff0c而是{1}",
    ],
)
def test_any_two_letters_in_such_a_sentence_are_told_apart(wording: str) -> None:
    assert all(read_answer(wording.format(*pair), COLOURS).option == pair[1] for pair in TWO)


@pytest.mark.parametrize(
    "wording", ["{0} or {1}", "Either {0} or {1}.", "{0}, {1}", "{0} and {1}", "{0}或{1}", "{0} oder {1}"]
)
def test_of_two_letters_side_by_side_none_is_the_answer(wording: str) -> None:
    assert all(read_answer(wording.format(*pair), COLOURS).option == "" for pair in TWO)


@pytest.mark.parametrize(
    "wording",
    [
        "The speaker is not {0} but {1}.",
        "isn't {0}, just {1}",
        "far from {0}: {1}",
        "The voice is {1}, with no sign of anything {0}.",
        "rather than {0}, the speaker is {1}",
        "The speaker says 'I am so {0}' but sounds {1}",
        "Although the words are {0}, the tone is {1}.",
        "The options are happy, sad, angry or neutral. The answer is {1}, not {0}.",
    ],
)
def test_any_two_labels_in_such_a_sentence_are_told_apart(wording: str) -> None:
    pairs = permutations(EMOTIONS.keys, 2)
    assert all(read_answer(wording.format(*pair), EMOTIONS).option == pair[1] for pair in pairs)


_LETTER = re.compile(r"(?<![A-Za-z'])([A-D])(?![A-Za-z'])")
_BY_PLACE = re.compile(
    r"\b[a-d]\b|first|second|third|fourth|last|\d|option \w+|zweite|number|[\uff21-\uff3a]|第|A [a-z]", re.IGNORECASE
)


@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("name", FILES)
def test_other_letters_for_the_same_options_change_nothing(name: str, turn: int) -> None:
    texts = ["red", "blue", "green", "yellow"]
    turned = {letter: "ABCD"[(place + turn) % 4] for place, letter in enumerate("ABCD")}
    options = Options.of_choices(tuple(texts[-turn:] + texts[:-turn]))
    lines = [case for case in cases(f"{name}.jsonl") if case.get("choices") == texts and case["output"] not in KNOWN]
    for case in (case for case in lines if not _BY_PLACE.search(case["output"])):
        output = _LETTER.sub(lambda match: turned[match[1]], case["output"])
        assert read_answer(output, options).option == turned.get(case["answer"], ""), output


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert read_answer(text, COLOURS, prompt=text[:50]).option in ("", *COLOURS.keys)
    assert read_answer(text, EMOTIONS).option in ("", *EMOTIONS.keys)


PIECES = st.sampled_from(
    [
        "A",
        "b",
        "(C)",
        "red",
        "not",
        "or",
        "and",
        ",",
        ".",
        "?",
        "\n",
        "the answer is",
        "so",
        "wait",
        "because",
        '"',
        "I",
        "isn't",
    ]
)


@given(st.lists(PIECES, max_size=12))
def test_no_order_of_words_breaks_the_reader(pieces: list[str]) -> None:
    assert read_answer(" ".join(pieces), COLOURS).option in ("", *COLOURS.keys)


@pytest.mark.parametrize("text", ["B", "b", "(b)", "B.", "\uff22", "blue", "Blue!", "**B**", '"blue"', "the blue"])
def test_a_letter_or_a_text_alone_is_not_interpreted(text: str) -> None:
    reading = read_answer(text, COLOURS)
    assert (reading.option, reading.bare) == ("B", True)


@pytest.mark.parametrize("text", ["The answer is B.", "B. blue", "I think it is blue"])
def test_anything_more_is_interpreted(text: str) -> None:
    reading = read_answer(text, COLOURS)
    assert (reading.option, reading.bare) == ("B", False)


def test_a_repetition_of_the_prompt_is_no_answer() -> None:
    prompt = "Which is it? A. red; B. blue; C. green; D. yellow. Answer with a letter such as A."
    assert read_answer(prompt, COLOURS, prompt).option == ""
    assert read_answer(f"{prompt}\n\nC", COLOURS, prompt).option == "C"


def test_an_unfinished_chain_of_thought_answers_nothing() -> None:
    assert read_answer("<think>It must be B because", COLOURS).option == ""
    assert read_answer("<think>It must be B</think> The answer is C.", COLOURS).option == "C"


def test_options_that_share_a_wording_are_not_named_by_it() -> None:
    twins = Options.of_choices(("a cat", "the cat", "a dog"))
    assert read_answer("cat", twins).option == ""
    assert read_answer("a cat", twins).option == "A"
    assert read_answer("dog", twins).option == "C"
