"""German morphology against forms looked up in a grammar (Duden), not computed."""

import pytest

from experiments.training.tiny.corpus.grammar.german import Noun, Verb, adjective_ending, contract, determiner
from experiments.training.tiny.corpus.grammar.lexicon import INTRANSITIVE, NOUNS, QUALITIES, TRANSITIVE

FORMS = [  # determiner, adjective stem, noun, nominative, accusative, dative
    ("der", "alt", Noun("Mann", "m", "Männer"), "der alte Mann", "den alten Mann", "dem alten Mann"),
    ("ein", "alt", Noun("Mann", "m", "Männer"), "ein alter Mann", "einen alten Mann", "einem alten Mann"),
    ("mein", "jung", Noun("Frau", "f", "Frauen"), "meine junge Frau", "meine junge Frau", "meiner jungen Frau"),
    ("kein", "gut", Noun("Buch", "n", "Bücher"), "kein gutes Buch", "kein gutes Buch", "keinem guten Buch"),
    ("dies", "klein", Noun("Kind", "n", "Kinder"), "dieses kleine Kind", "dieses kleine Kind", "diesem kleinen Kind"),
    ("ein", "groß", Noun("Bär", "m", "Bären", True), "ein großer Bär", "einen großen Bären", "einem großen Bären"),
]
PLURALS = [
    ("der", "alt", Noun("Mann", "m", "Männer"), "die alten Männer", "den alten Männern"),
    ("zwei", "rot", Noun("Auto", "n", "Autos"), "zwei rote Autos", "zwei roten Autos"),
    ("mein", "gut", Noun("Frau", "f", "Frauen"), "meine guten Frauen", "meinen guten Frauen"),
]


def phrase(word: str, stem: str, noun: Noun, case: str, number: str) -> str:
    gender = "p" if number == "p" else noun.gender
    inflected, kind = determiner(word, case, gender)
    return f"{inflected} {stem}{adjective_ending(kind, case, gender)} {noun.form(case, number)}"


@pytest.mark.parametrize(("word", "stem", "noun", "nominative", "accusative", "dative"), FORMS)
def test_singular_noun_phrases(word: str, stem: str, noun: Noun, nominative: str, accusative: str, dative: str) -> None:
    assert [phrase(word, stem, noun, case, "s") for case in "nad"] == [nominative, accusative, dative]


@pytest.mark.parametrize(("word", "stem", "noun", "nominative", "dative"), PLURALS)
def test_plural_noun_phrases(word: str, stem: str, noun: Noun, nominative: str, dative: str) -> None:
    assert [phrase(word, stem, noun, case, "p") for case in "nad"] == [nominative, nominative, dative]


@pytest.mark.parametrize(
    ("verb", "forms"),
    [
        (Verb("kaufen", "kauft", "gekauft"), ("kaufe", "kaufst", "kauft", "kaufen")),
        (Verb("lesen", "liest", "gelesen"), ("lese", "liest", "liest", "lesen")),
        (Verb("finden", "findet", "gefunden"), ("finde", "findest", "findet", "finden")),
        (Verb("einladen", "lädt", "eingeladen", prefix="ein"), ("lade", "lädst", "lädt", "laden")),
        (Verb("sein", "ist", "gewesen"), ("bin", "bist", "ist", "sind")),
    ],
)
def test_present_tense(verb: Verb, forms: tuple[str, ...]) -> None:
    assert tuple(verb.present(person) for person in ("ich", "du", "er", "wir")) == forms


def test_past_of_verbs_that_have_one() -> None:
    was, could = Verb("sein", "", "", preterite="war"), Verb("können", "", "", preterite="konnte")
    assert [was.past(p) for p in ("ich", "du", "er", "wir")] == ["war", "warst", "war", "waren"]
    assert [could.past(p) for p in ("ich", "du", "er", "wir")] == ["konnte", "konntest", "konnte", "konnten"]


def test_prepositions_contract_only_with_the_article() -> None:
    assert contract("er geht in das Kino zu dem Mann") == "er geht ins Kino zum Mann"
    assert contract("in diesem Haus") == "in diesem Haus"


def test_lexicon_is_well_formed() -> None:
    assert {n.german.gender for n in NOUNS} == {"m", "f", "n"}
    assert len({(n.singular, n.german.singular) for n in NOUNS}) == len(NOUNS)
    assert all(n.german.singular[0].isupper() and n.german.plural[0].isupper() for n in NOUNS)
    categories = {n.category for n in NOUNS}
    assert all(set(q.categories) <= categories for q in QUALITIES)
    for action in TRANSITIVE + INTRANSITIVE:
        assert action.german.bare.endswith("n") and action.german.infinitive.startswith(action.german.prefix)
