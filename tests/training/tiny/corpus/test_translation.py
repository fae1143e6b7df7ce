"""The translation grammar: whole sentences with known translations, and properties that every pair must have."""

import random
import re

from experiments.training.tiny.corpus.grammar.clauses import Phrase, clause, noun_phrase, pronoun
from experiments.training.tiny.corpus.grammar.lexicon import NOUNS, TRANSITIVE, Action, Word
from experiments.training.tiny.corpus.grammar.sentences import PATTERNS, translated


def verb(base: str) -> Action:
    return next(a for a in TRANSITIVE if a.base == base)


def noun(singular: str) -> Word:
    return next(n for n in NOUNS if n.singular == singular)


def plain(word: str, determiner: str) -> Phrase:
    """The noun in the singular without adjective."""
    draws = (noun_phrase(noun(word), random.Random(seed), (determiner,), 0.0) for seed in range(50))
    return next(p for p in draws if not p.plural)


def test_verb_second_and_verb_final_order() -> None:
    book = plain("book", "a")
    one = clause(pronoun("she"), verb("read"), "past", book.english, [book.case("a")], when=("yesterday", "gestern"))
    assert one.english_main() == "she read a book yesterday"
    assert one.german_main() == "sie hat gestern ein Buch gelesen"
    assert one.german_main(front_time=True) == "gestern hat sie ein Buch gelesen"
    assert one.english_question() == "did she read a book yesterday"
    assert one.german_inverted() == "hat sie gestern ein Buch gelesen"
    assert one.german_subordinate() == "sie gestern ein Buch gelesen hat"


def test_separable_verb() -> None:
    man = plain("man", "the")
    one = clause(pronoun("I"), verb("call"), "present", man.english, [man.case("a")])
    assert one.english_main() == "I call the man"
    assert one.german_main() == "ich rufe den Mann an"
    assert one.german_subordinate() == "ich den Mann anrufe"
    later = clause(pronoun("I"), verb("call"), "want to", man.english, [man.case("a")])
    assert later.german_main() == "ich will den Mann anrufen"
    assert later.german_subordinate() == "ich den Mann anrufen will"


def test_pronouns_come_before_the_time() -> None:
    him = pronoun("he")
    one = clause(pronoun("we"), verb("visit"), "future", him.as_object, [him.case("a")], when=("tomorrow", "morgen"))
    assert one.english_main() == "we will visit him tomorrow"
    assert one.german_main() == "wir werden ihn morgen besuchen"


def test_english_agreement() -> None:
    car = plain("car", "the")
    said = {
        tense: clause(pronoun("he"), verb("wash"), tense, car.english, [car.case("a")]).english_main()
        for tense in ("present", "have to", "want to", "perfect", "progressive")
    }
    assert said == {
        "present": "he washes the car",
        "have to": "he has to wash the car",
        "want to": "he wants to wash the car",
        "perfect": "he has washed the car",
        "progressive": "he is washing the car",
    }


def test_every_pair_is_a_sentence_in_both_languages() -> None:
    rng = random.Random(0)
    for pattern in PATTERNS:
        for _ in range(100):
            for text in pattern(rng):
                assert re.fullmatch(r"[A-ZÄÖÜ][^.?!_|{}]*[.?!]", text) and "  " not in text, text


def test_broad_and_reproducible() -> None:
    rng = random.Random(1)
    pairs = [translated(rng) for _ in range(3000)]
    assert len({english for english, _ in pairs}) > 2900
    again = random.Random(1)
    assert [translated(again) for _ in range(20)] == pairs[:20]
