"""The words of `lexicon.yaml`, each known in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .german import Noun, Verb

Pair = tuple[str, str]
"""English, German."""
NOTHING: Pair = ("", "")


@dataclass(frozen=True)
class Word:
    """A noun."""

    singular: str
    plural: str
    german: Noun
    category: str


@dataclass(frozen=True)
class Action:
    """A verb; its English forms include a particle, as in `look for`."""

    base: str
    past: str
    participle: str
    ing: str
    german: Verb
    objects: tuple[str, ...] = ()
    """Categories that its direct object may come from."""
    prepositions: Pair = NOTHING
    """Of its prepositional object."""
    case: str = ""
    """That the German preposition governs."""


@dataclass(frozen=True)
class Quality:
    """An adjective."""

    english: str
    more: str
    """English comparative."""
    german: str
    mehr: str
    """German comparative; empty where none is used."""
    categories: tuple[str, ...]
    stem: str
    """German form that endings are put to."""


TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "lexicon.yaml").read_text(encoding="utf-8"))


def pairs(table: Mapping[str, str]) -> list[Pair]:
    """A table of fixed phrases."""
    return list(table.items())


def _word(
    category: str, singular: str, plural: str, german: str, gender: str, german_plural: str, kind: str = ""
) -> Word:
    return Word(singular, plural, Noun(german, gender, german_plural, kind == "weak"), category)


def _action(entry: Mapping[str, Any]) -> Action:
    base, past, participle, ing = entry["english"]
    infinitive, third, german_participle = entry["german"]
    prefix, bar, _ = infinitive.partition("|")
    auxiliary = "sein" if german_participle.endswith("+") else "haben"
    verb = Verb(infinitive.replace("|", ""), third, german_participle.rstrip("+"), auxiliary, prefix if bar else "")
    prepositions = entry.get("prepositions", NOTHING)
    return Action(
        base, past, participle, ing, verb, tuple(entry.get("objects", ())), tuple(prepositions), entry.get("case", "")
    )


def _quality(entry: Mapping[str, Any]) -> Quality:
    english, german = entry["english"], entry["german"]
    more = f"more {english}" if entry["more"] == "-" else entry["more"]
    mehr = "" if entry["mehr"] == "-" else entry["mehr"]
    return Quality(english, more, german, mehr, tuple(entry["of"]), entry.get("stem", german))


NOUNS = [_word(category, *entry) for category, entries in TABLE["nouns"].items() for entry in entries]
TRANSITIVE, INTRANSITIVE, GIVING, MOTION, DATIVE, PREPOSITIONAL = (
    [_action(entry) for entry in TABLE[kind]]
    for kind in ("transitive", "intransitive", "giving", "motion", "dative", "prepositional")
)
QUALITIES = [_quality(entry) for entry in TABLE["adjectives"]]
NAMES: dict[str, list[str]] = TABLE["names"]


def nouns(category: str) -> list[Word]:
    """The nouns of a category, or of a set of chosen ones."""
    chosen = TABLE["sets"].get(category)
    return [n for n in NOUNS if (n.singular in chosen if chosen else n.category == category)]
