"""What a clause can say: the translation grammar's predicates with their subjects, objects and adverbials."""

import random
from collections.abc import Callable
from dataclasses import replace

from .clauses import MODALS, Clause, Phrase, clause, name, noun_phrase, someone, thing
from .german import Verb
from .lexicon import (
    DATIVE,
    GIVING,
    INTRANSITIVE,
    MOTION,
    NOTHING,
    PREPOSITIONAL,
    QUALITIES,
    TABLE,
    TRANSITIVE,
    Action,
    Pair,
    nouns,
    pairs,
)

TIMES = {kind: pairs(table) for kind, table in TABLE["times"].items()}
TIMES_OF = {"past": "past", "present": "present", "future": "future", "progressive": "now", "perfect": ""}
PLACES, WHERE_THINGS_ARE, DIRECTIONS, WAYS, MANNERS = (
    pairs(TABLE[kind]) for kind in ("places", "things_places", "directions", "ways", "manners")
)
DEGREES = [*pairs(TABLE["degrees"]), NOTHING, NOTHING]
TO_BE = Action("be", "was", "been", "being", Verb("sein", "ist", "gewesen", "sein", preterite="war"))


def _tense(rng: random.Random) -> str:
    return rng.choice(
        ("present", "past", "past", "past", "future", "progressive", "perfect", *rng.sample(list(MODALS), 3))
    )


def _when(tense: str, rng: random.Random, chance: float = 0.5) -> Pair:
    kind = TIMES_OF.get(tense, "future")
    return rng.choice(TIMES[kind]) if kind and rng.random() < chance else NOTHING


def transitive(rng: random.Random, tense: str = "", subject: Phrase | None = None) -> Clause:
    """`My brother bought a red car yesterday.`"""
    act, tense = rng.choice(TRANSITIVE), tense or _tense(rng)
    if (
        act.base in ("know", "love", "need", "hate", "understand", "want", "see", "hear", "forget")
        and tense == "progressive"
    ):
        tense = "present"
    subject = subject or someone(rng)
    target = other_than(subject, lambda: thing(rng.choice(act.objects), rng))
    negative = rng.random() < 0.15 and tense not in ("may", "should")
    place = rng.choice(PLACES) if rng.random() < 0.25 and not negative else NOTHING
    german = target.case("a")
    if negative and target.indefinite:
        german, no = "k" + german, ""
    else:
        no = "nicht" if negative else ""
    if target.english.startswith("no "):
        negative, no = False, ""
    middle = [part for part in (german, no, place[1]) if part]
    tail = " ".join(part for part in (target.as_object, place[0]) if part)
    return clause(subject, act, _fix(tense, negative), tail, middle, negative=negative, when=_when(tense, rng))


def _fix(tense: str, negative: bool) -> str:
    """`must not` is not `muss nicht`, and `would like to` is not negated here."""
    return {"must": "can", "would like to": "future", "have to": "future"}.get(tense, tense) if negative else tense


def other_than(subject: Phrase, draw: Callable[[], Phrase]) -> Phrase:
    """A phrase that cannot be the subject itself (no reflexives)."""
    while True:
        phrase = draw()
        alike = phrase.person == subject.person or {phrase.english, subject.english} == {"I", "we"}
        if phrase.english != subject.english and not (phrase.is_pronoun and subject.is_pronoun and alike):
            return phrase


def intransitive(rng: random.Random, tense: str = "", subject: Phrase | None = None) -> Clause:
    """`The children are playing in the garden.`"""
    act, tense = rng.choice(INTRANSITIVE), tense or _tense(rng)
    negative = rng.random() < 0.15 and tense not in ("may", "should")
    place = rng.choice(PLACES) if rng.random() < 0.7 else rng.choice(MANNERS)
    middle = ["nicht", place[1]] if negative else [place[1]]
    return clause(
        subject or someone(rng),
        act,
        _fix(tense, negative),
        place[0],
        middle,
        negative=negative,
        when=_when(tense, rng, 0.4),
    )


def motion(rng: random.Random, tense: str = "", subject: Phrase | None = None) -> Clause:
    """`She went to the station by bus.`"""
    act, tense = rng.choice(MOTION), tense or _tense(rng)
    there = rng.choice(DIRECTIONS)
    way = rng.choice(WAYS) if rng.random() < 0.4 and act.base in ("go", "come") else NOTHING
    if way[0] and act.base == "go":
        act = replace(act, german=Verb("fahren", "fährt", "gefahren", "sein"))
    middle = [part for part in (way[1], there[1]) if part]
    tail = " ".join(part for part in (there[0], way[0]) if part)
    return clause(subject or someone(rng), act, tense, tail, middle, when=_when(tense, rng))


def giving(rng: random.Random, tense: str = "", subject: Phrase | None = None) -> Clause:
    """`I gave my sister a book.`"""
    act, tense = rng.choice(GIVING), tense or _tense(rng)
    subject = subject or someone(rng)
    receiver = other_than(subject, lambda: someone(rng))
    gift = noun_phrase(rng.choice(nouns(rng.choice(("thing", "text", "food")))), rng, ("the", "a", "my", "this", "a"))
    tail = f"{receiver.as_object} {gift.english}"
    return clause(subject, act, tense, tail, [receiver.case("d"), gift.case("a")], when=_when(tense, rng, 0.4))


def prepositional(rng: random.Random, tense: str = "", subject: Phrase | None = None) -> Clause:
    """`He is waiting for the doctor.`"""
    act, tense = rng.choice(PREPOSITIONAL), tense or _tense(rng)
    preposition, german_preposition = act.prepositions
    subject = subject or someone(rng)
    target = other_than(subject, lambda: someone(rng, 0.3))
    tail = f"{preposition} {target.as_object}"
    negative = rng.random() < 0.15 and tense not in ("may", "should")
    middle = [f"{german_preposition} {target.case(act.case)}"]
    return clause(
        subject,
        act,
        _fix(tense, negative),
        tail,
        ["nicht", *middle] if negative else middle,
        negative=negative,
        when=_when(tense, rng, 0.4),
    )


def dative(rng: random.Random, tense: str = "", subject: Phrase | None = None) -> Clause:
    """`We helped the old woman.`"""
    act, tense = rng.choice(DATIVE), tense or _tense(rng)
    if act.base in ("believe", "trust") and tense == "progressive":
        tense = "present"
    subject = subject or someone(rng)
    target = other_than(subject, lambda: someone(rng, 0.4))
    return clause(subject, act, tense, target.as_object, [target.case("d")], when=_when(tense, rng, 0.4))


def being(rng: random.Random, tense: str = "", subject: Phrase | None = None) -> Clause:
    """`The house was very old.`, `My aunt is a doctor.`, `The keys are on the table.`"""
    past = tense == "past" or (not tense and rng.random() < 0.4)
    kind = rng.random()
    if kind < 0.5 or (subject and kind < 0.7):
        quality = rng.choice([q for q in QUALITIES if not subject or "person" in q.categories])
        subject = subject or noun_phrase(rng.choice(nouns(rng.choice(quality.categories))), rng, adjective=0.0)
        degree = rng.choice(DEGREES)
        said, tail = f"{degree[1]} {quality.german}".strip(), f"{degree[0]} {quality.english}".strip()
    elif kind < 0.7 or subject:
        subject = subject or name(rng)
        if subject.person != "er":
            subject = name(rng)
        job = rng.choice(TABLE["jobs"])
        said, tail = job[2] if subject.gender == "f" else job[1], job[0]
    else:
        subject = noun_phrase(
            rng.choice(nouns(rng.choice(("thing", "animal", "text", "food")))),
            rng,
            ("the", "my", "your", "his", "her", "our"),
            0.2,
        )
        tail, said = rng.choice(WHERE_THINGS_ARE)
    verb = TO_BE.german
    finite = verb.past(subject.person) if past else verb.present(subject.person)
    number = "I" if subject.english == "I" else "p" if subject.plural else "s"
    english = {"I": "was" if past else "am", "s": "was" if past else "is", "p": "were" if past else "are"}[number]
    return Clause(subject, (english, tail), finite, [said], "", finite)


KINDS = (transitive, transitive, transitive, intransitive, motion, giving, prepositional, dative, being, being)


def any_clause(rng: random.Random, tense: str = "", subject: Phrase | None = None) -> Clause:
    """A clause of any kind, in the tense and about the subject given."""
    return rng.choice(KINDS)(rng, tense, subject)
