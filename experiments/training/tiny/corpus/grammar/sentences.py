"""The translation grammar: sentence patterns that yield an English sentence and its German translation."""

import random
from collections.abc import Callable
from dataclasses import replace

from .clauses import Phrase, clause, name, noun_phrase, sentence, someone
from .german import Verb, contract
from .lexicon import INTRANSITIVE, NOTHING, QUALITIES, TABLE, TRANSITIVE, Action, Pair, nouns, pairs
from .predicates import PLACES, TIMES, WHERE_THINGS_ARE, any_clause, other_than

RELATIVES = {"sister", "brother", "mother", "father", "uncle", "aunt", "friend", "daughter", "son", "boss"}


def statement(rng: random.Random) -> Pair:
    """A main clause; a third of the times of day come first in both languages."""
    one = any_clause(rng)
    fronted = bool(one.when[1]) and rng.random() < 0.35
    if not fronted:
        return sentence(one.english_main()), sentence(one.german_main())
    alone = replace(one, when=NOTHING)
    return sentence(f"{one.when[0]} {alone.english_main()}"), sentence(one.german_main(front_time=True))


def question(rng: random.Random) -> Pair:
    """`Did you see the dog?`, `Why is she laughing?`"""
    one = any_clause(rng)
    while (
        one.subject.english == "I"
        or " not" in one.english[0]
        or one.english[1].startswith("not ")
        or one.english[0] == "may"
    ):
        one = any_clause(rng)
    if rng.random() < 0.5:
        return sentence(one.english_question(), "?"), sentence(one.german_inverted(), "?")
    word = ("why", "warum") if one.when[0] else rng.choice([("why", "warum"), ("when", "wann")])
    return sentence(f"{word[0]} {one.english_question()}", "?"), sentence(f"{word[1]} {one.german_inverted()}", "?")


def reported(rng: random.Random) -> Pair:
    """`She thinks that the man is very old.`"""
    english, german = rng.choice(pairs(TABLE["opinions"]))
    third = {"denken": "denkt", "wissen": "weiß", "hoffen": "hofft", "glauben": "glaubt", "sagen": "sagt"}[german]
    act = Action(
        english,
        {"think": "thought", "know": "knew", "say": "said"}.get(english, english + "d"),
        "",
        "",
        Verb(german, third, ""),
    )
    outer, inner = clause(someone(rng, 0.7), act, "present", "", []), any_clause(rng)
    return sentence(f"{outer.english_main()} that {inner.english_main()}"), sentence(
        f"{outer.german_main()}, dass {inner.german_subordinate()}"
    )


def linked(rng: random.Random) -> Pair:
    """`He stayed at home because he was tired.`, and the same with the subordinate clause first."""
    english, german = rng.choice(pairs(TABLE["links"]))
    tense = "present" if english in ("when", "if", "as soon as") else rng.choice(("present", "past"))
    subject = someone(rng)
    same = subject if subject.is_pronoun else None
    main, sub = any_clause(rng, tense, subject), any_clause(rng, tense, same)
    if rng.random() < 0.35:
        return (
            sentence(f"{english} {sub.english_main()}, {main.english_main()}"),
            sentence(f"{german} {sub.german_subordinate()}, {main.german_inverted()}"),
        )
    return sentence(f"{main.english_main()} {english} {sub.english_main()}"), sentence(
        f"{main.german_main()}, {german} {sub.german_subordinate()}"
    )


def joined(rng: random.Random) -> Pair:
    """Two main clauses."""
    english, german = rng.choice([("and", "und"), ("but", "aber")])
    tense = rng.choice(("present", "past", "past", "future"))
    one, two = any_clause(rng, tense), any_clause(rng, tense)
    comma = "," if german == "aber" else ""
    return (
        sentence(f"{one.english_main()}{comma} {english} {two.english_main()}"),
        sentence(f"{one.german_main()}{comma} {german} {two.german_main()}"),
    )


def comparison(rng: random.Random) -> Pair:
    """`Tom is older than my brother.`"""
    quality = rng.choice([q for q in QUALITIES if q.mehr])
    category = rng.choice(quality.categories)

    def draw() -> Phrase:
        if category == "person" and rng.random() < 0.5:
            return name(rng)
        return noun_phrase(rng.choice(nouns(category)), rng, ("the", "my", "your", "his", "her", "our"), 0.0)

    one = draw()
    two = other_than(one, draw)
    be, sein = ("are", "sind") if one.plural else ("is", "ist")
    return sentence(f"{one.english} {be} {quality.more} than {two.english}"), sentence(
        f"{one.case('n')} {sein} {quality.mehr} als {two.case('n')}"
    )


def existence(rng: random.Random) -> Pair:
    """`There is a cat in the kitchen.`"""
    place = rng.choice(WHERE_THINGS_ARE + PLACES)
    what = noun_phrase(rng.choice(nouns(rng.choice(("animal", "thing", "food")))), rng, ("a", "the", "no"), 0.35)
    while what.english.startswith("the "):
        what = noun_phrase(rng.choice(nouns("thing")), rng, ("a", "the"), 0.35)
    be, sein = ("are", "sind") if what.plural else ("is", "ist")
    return sentence(f"there {be} {what.english} {place[0]}"), sentence(contract(f"{place[1]} {sein} {what.case('n')}"))


def request(rng: random.Random) -> Pair:
    """`Please open the window.`"""
    english, german = rng.choice(pairs(TABLE["requests"]))
    act = next(a for a in TRANSITIVE if a.base == english)
    category = rng.choice([c for c in act.objects if c != "person"])
    what = noun_phrase(rng.choice(nouns(category)), rng, ("the", "my", "this", "our", "a", "his", "her"))
    when = rng.choice(TIMES["future"]) if rng.random() < 0.25 else NOTHING
    polite = rng.random() < 0.5
    start = ("please ", "bitte ") if polite else ("", "")
    tail = " ".join(p for p in (what.english, when[0]) if p)
    return sentence(f"{start[0]}{english} {tail}"), sentence(
        " ".join(p for p in (f"{start[1]}{german}", when[1], what.case("a")) if p), "." if polite else "!"
    )


def liking(rng: random.Random) -> Pair:
    """`My uncle likes to swim in the lake.`"""
    act = rng.choice([a for a in INTRANSITIVE if a.base not in ("arrive", "wait", "cry")])
    subject, place = someone(rng), rng.choice(PLACES)
    likes = "like" if subject.plural else "likes"
    finite = act.german.present(subject.person)
    end = f" {act.german.prefix}" if act.german.prefix else ""
    return sentence(f"{subject.english} {likes} to {act.base} {place[0]}"), sentence(
        contract(f"{subject.case('n')} {finite} gern {place[1]}{end}")
    )


def possession(rng: random.Random) -> Pair:
    """`Tom's sister has a dog.`"""
    owner, relative = name(rng), rng.choice([n for n in nouns("person") if n.singular in RELATIVES])
    category = rng.choice(("animal", "thing", "building", "idea"))
    what = noun_phrase(rng.choice(nouns(category)), rng, ("a", "no", "a"), 0.5)
    past = rng.random() < 0.3
    english = "had" if past else "has"
    genitive = f"{owner.english}'" if owner.english.endswith("s") else f"{owner.english}s"
    german = f"{genitive} {relative.german.singular} {'hatte' if past else 'hat'} {what.case('a')}"
    return sentence(f"{owner.english}'s {relative.singular} {english} {what.english}"), sentence(german)


PATTERNS: dict[Callable[[random.Random], Pair], int] = {
    statement: 40,
    question: 16,
    reported: 10,
    linked: 12,
    joined: 8,
    comparison: 4,
    existence: 5,
    request: 4,
    liking: 3,
    possession: 4,
}
"""Sentence patterns and how often each is drawn."""


def translated(rng: random.Random) -> Pair:
    """One English sentence and its German translation."""
    pattern = rng.choices(list(PATTERNS), list(PATTERNS.values()))[0]
    return pattern(rng)
