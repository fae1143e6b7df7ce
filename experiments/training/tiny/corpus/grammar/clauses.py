"""One clause in English and German at once: subject, verbs, objects and adverbials in each language's word order."""

import random
from dataclasses import dataclass, field

from .german import PRONOUNS, Verb, adjective_ending, capitalised, contract, determiner
from .lexicon import NAMES, NOTHING, QUALITIES, Action, Pair, Word, nouns

CASES = "nad"
DETERMINERS = {
    "the": "der", "a": "ein", "my": "mein", "your": "dein", "his": "sein", "her": "ihr", "our": "unser", "their": "ihr",
    "this": "dies", "no": "kein",
}  # fmt: skip
COMMON = ("the", "the", "the", "the", *DETERMINERS)
"""Determiners as they are drawn: mostly `the`."""
NUMBERS = {
    "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs", "seven": "sieben", "ten": "zehn",
    "twenty": "zwanzig",
}  # fmt: skip
PERSONS = {"I": "ich", "you": "du", "he": "er", "she": "sie", "we": "wir", "they": "sie.p"}
OBJECTIVE = {"I": "me", "you": "you", "he": "him", "she": "her", "we": "us", "they": "them"}
MODALS = {
    "can": Verb("können", "", ""),
    "must": Verb("müssen", "", ""),
    "should": Verb("sollen", "", "", preterite="sollte"),
    "want to": Verb("wollen", "", ""),
    "may": Verb("dürfen", "", ""),
    "have to": Verb("müssen", "", ""),
    "would like to": Verb("möchten", "", ""),
    "could": Verb("können", "", "", preterite="konnte"),
}
"""Those with a preterite stand in it: `should` is `sollte`."""
BE = {"present": {"I": "am", "s": "is", "p": "are"}, "past": {"I": "was", "s": "was", "p": "were"}}


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: its English and its German in the three cases."""

    english: str
    german: tuple[str, str, str]
    person: str
    """German agreement: ich, du, er, wir."""
    gender: str = "m"
    objective: str = ""
    """English object form, of pronouns."""
    indefinite: str = ""
    """`ein` or `none` where German negates with kein."""

    @property
    def plural(self) -> bool:
        """Whether English agrees with it in the plural (`you` included)."""
        return self.person in ("wir", "du") or self.english == "I"

    @property
    def as_object(self) -> str:
        return self.objective or self.english

    @property
    def is_pronoun(self) -> bool:
        return bool(self.objective)

    def case(self, case: str) -> str:
        return self.german[CASES.index(case)]


def pronoun(english: str) -> Phrase:
    german = PRONOUNS[PERSONS[english]]
    person = {"she": "er", "he": "er", "they": "wir"}.get(english, PERSONS[english])
    return Phrase(english, german, person, "f" if english == "she" else "m", OBJECTIVE[english])


def name(rng: random.Random) -> Phrase:
    gender = rng.choice("mf")
    word = rng.choice(NAMES[gender])
    return Phrase(word, (word, word, word), "er", gender)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" and not word.startswith(("uni", "one", "use")) else "a"


def noun_phrase(
    word: Word, rng: random.Random, determiners: tuple[str, ...] = COMMON, adjective: float = 0.25
) -> Phrase:
    """A noun with determiner, number or neither, and perhaps an adjective."""
    fitting = [q for q in QUALITIES if word.category in q.categories]
    quality = rng.choice(fitting) if fitting and rng.random() < adjective else None
    english_det = rng.choice(determiners)
    plural = english_det not in ("a", "this", "no") and rng.random() < 0.3
    if plural and rng.random() < 0.3 and english_det == "the":
        english_det = rng.choice(list(NUMBERS))
    gender = "p" if plural else word.german.gender
    german = []
    for case in CASES:
        det, kind = determiner(DETERMINERS.get(english_det) or NUMBERS[english_det], case, gender)
        described = f"{quality.stem}{adjective_ending(kind, case, gender)} " if quality else ""
        german.append(f"{det} {described}{word.german.form(case, 'p' if plural else 's')}")
    noun = word.plural if plural else word.singular
    noun = f"{quality.english} {noun}" if quality else noun
    shown = _article(noun) if english_det == "a" else english_det
    indefinite = "ein" if english_det == "a" else ""
    return Phrase(f"{shown} {noun}", tuple(german), "wir" if plural else "er", gender, "", indefinite)  # type: ignore[arg-type]


def someone(rng: random.Random, pronouns: float = 0.45) -> Phrase:
    """A subject: pronoun, name or person."""
    draw = rng.random()
    if draw < pronouns:
        return pronoun(rng.choice(list(PERSONS)))
    if draw < pronouns + 0.25:
        return name(rng)
    return noun_phrase(
        rng.choice(nouns("person")),
        rng,
        ("the", "the", "the", "my", "your", "his", "her", "our", "their", "a", "this"),
        0.15,
    )


def thing(category: str, rng: random.Random) -> Phrase:
    """An object of a category; persons may be pronouns or names."""
    if category == "person" and rng.random() < 0.5:
        return someone(rng, 0.6)
    return noun_phrase(rng.choice(nouns(category)), rng)


@dataclass
class Clause:
    """A clause whose German is kept in its parts, to be put in order as its use demands."""

    subject: Phrase
    english: Pair
    """Auxiliary (or the finite verb alone) and the rest of the predicate, adverbials excluded."""
    finite: str
    middle: list[str] = field(default_factory=list)
    end: str = ""
    """Participle, infinitive or separable prefix."""
    last: str = ""
    """What closes a subordinate clause."""
    when: Pair = NOTHING
    bare: Pair = NOTHING
    """For questions with do: (`do`, base verb phrase); empty where the auxiliary moves itself."""

    def english_main(self) -> str:
        return _join(self.subject.english, *self.english, self.when[0])

    def english_question(self) -> str:
        auxiliary, rest = self.bare if self.bare[0] else self.english
        return _join(auxiliary, self.subject.english, rest, self.when[0])

    def _middle(self) -> list[str]:
        """The middle field; time goes after pronouns, before all else."""
        weak = {form for forms in PRONOUNS.values() for form in forms}
        head = [m for m in self.middle if m in weak]
        return [*head, self.when[1], *[m for m in self.middle if m not in weak]]

    def german_main(self, front_time: bool = False) -> str:
        subject = self.subject.case("n")
        if front_time and self.when[1]:
            middle = self._middle()
            middle.remove(self.when[1])
            return contract(_join(self.when[1], self.finite, subject, *middle, self.end))
        return contract(_join(subject, self.finite, *self._middle(), self.end))

    def german_inverted(self) -> str:
        """Verb first: questions, and main clauses after a fronted element."""
        return contract(_join(self.finite, self.subject.case("n"), *self._middle(), self.end))

    def german_subordinate(self) -> str:
        return contract(_join(self.subject.case("n"), *self._middle(), self.last))


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _english_verb(act: Action, tense: str, subject: Phrase, negative: bool) -> tuple[Pair, Pair]:
    """(auxiliary, rest) of the verb group, and the same with do for questions where the auxiliary cannot move."""
    number = "I" if subject.english == "I" else "p" if subject.plural else "s"
    no = "not" if negative else ""
    do = "did" if tense == "past" else "does" if number == "s" else "do"
    if tense in ("present", "past", "want to", "have to"):
        modal, _, to = tense.partition(" ") if tense in MODALS else ("", "", "")
        base = _join(modal, to, act.base)
        if negative:
            return (f"{do} not", base), NOTHING
        if tense == "past":
            return (act.past, ""), (do, base)
        return (third_person(base) if number == "s" else base, ""), (do, base)
    if tense == "progressive":
        return (BE["present"][number], _join(no, act.ing)), NOTHING
    if tense == "perfect":
        return ("has" if number == "s" else "have", _join(no, act.participle)), NOTHING
    first, _, to = ("will", "", "") if tense == "future" else tense.partition(" ")
    return (first, _join(no, to, act.base)), NOTHING


def third_person(base: str) -> str:
    """`go home` as `goes home`."""
    verb, _, particle = base.partition(" ")
    if verb == "have":
        verb = "has"
    elif verb.endswith(("s", "sh", "ch", "x", "o")):
        verb += "es"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        verb = verb[:-1] + "ies"
    else:
        verb += "s"
    return _join(verb, particle)


def _german_verb(verb: Verb, tense: str, person: str) -> tuple[str, str, str]:
    """(finite, end of the main clause, end of a subordinate clause)."""
    if tense in ("present", "progressive"):
        finite = verb.present(person)
        return finite, verb.prefix, verb.prefix + finite
    if tense in ("past", "perfect"):
        finite = Verb(verb.auxiliary, "", "").present(person)
        return finite, verb.participle, f"{verb.participle} {finite}"
    if tense == "future":
        finite = Verb("werden", "", "").present(person)
        return finite, verb.infinitive, f"{verb.infinitive} {finite}"
    modal = MODALS[tense]
    finite = modal.past(person) if modal.preterite else modal.present(person)
    return finite, verb.infinitive, f"{verb.infinitive} {finite}"


def clause(
    subject: Phrase,
    act: Action,
    tense: str,
    english_tail: str,
    german_middle: list[str],
    *,
    negative: bool = False,
    when: Pair = NOTHING,
) -> Clause:
    """Conjugate both verbs and put the clause together; the German middle already holds `nicht` if it is negative."""
    main, do_form = _english_verb(act, tense, subject, negative)
    finite, end, last = _german_verb(act.german, tense, subject.person)
    english = (main[0], _join(main[1], english_tail))
    bare = (do_form[0], _join(do_form[1], english_tail)) if do_form[0] else NOTHING
    return Clause(subject, english, finite, german_middle, end, last, when, bare)


def sentence(text: str, mark: str = ".") -> str:
    return capitalised(text) + mark
