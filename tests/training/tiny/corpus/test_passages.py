"""Passages: the right answer, and only it, follows from the text."""

import random

from experiments.training.tiny.corpus.domains import DOMAINS
from experiments.training.tiny.corpus.passages import LETTERS, long_passage, passage, two_sentences
from experiments.training.tiny.corpus.texts import transcript


def test_right_answers_are_told_and_choices_differ() -> None:
    rng = random.Random(0)
    for _ in range(300):
        told = passage(rng)
        text = told.text.lower()
        for question in told.questions:
            assert len(set(question.choices)) == len(LETTERS)
            assert question.choices[LETTERS.index(question.answer)].lower() in text
            assert "{" not in question.question and "{" not in text


def test_the_sentence_says_what_the_question_names_and_then_the_answer() -> None:
    rng = random.Random(1)
    for _ in range(300):
        told = passage(rng)
        domain = DOMAINS[told.domain]
        names = [*domain.entities, *(value for fact in domain.facts for value in fact.values)]
        for question in told.questions:
            right = f" {transcript(question.choices[LETTERS.index(question.answer)])} "
            said, asked = f" {question.evidence} ", f" {transcript(question.question)} "
            named = [name for name in (f" {transcript(name)} " for name in names) if name in said and name in asked]
            key = max((name for name in named if name != right), key=len)
            assert said.index(key) < said.index(right)


def test_letters_are_uniform_and_often_several_choices_are_told() -> None:
    rng = random.Random(2)
    passages = [passage(rng) for _ in range(400)]
    letters = [q.answer for p in passages for q in p.questions]
    assert all(0.2 < letters.count(letter) / len(letters) < 0.3 for letter in LETTERS)
    told = [sum(c.lower() in p.text.lower() for c in q.choices) for p in passages for q in p.questions]
    assert sum(told) / len(told) > 2.5


def test_long_passages_are_minutes_long_and_reproducible() -> None:
    rng = random.Random(3)
    told = long_passage(rng, 6)
    assert len(told.text.split()) > 200
    assert len(told.questions) > 20
    assert long_passage(random.Random(3), 6) == told


def test_two_sentences_in_a_row_are_all_different_and_two() -> None:
    found = two_sentences(50)
    assert len({sentence.text for sentence in found}) == len(found) == 50
    for sentence in found:
        assert sentence.source == "passage"
        assert sentence.spoken.count(".") + sentence.spoken.count("?") + sentence.spoken.count("!") == 2
