"""What spoken passages are about: the domains, facts and wordings of `domains.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Fact:
    """One kind of fact about an entity: its possible values, ways to state it and ways to ask for it."""

    values: list[str]
    say: list[str]
    again: list[str]
    """Ways to state it of the entity that the sentence before was about."""
    ask: list[str]
    ask_entity: list[str]
    """Questions that give the value and ask for the entity."""


@dataclass(frozen=True)
class Domain:
    """A scene: entities of one kind and the facts that are told of each."""

    entities: list[str]
    openings: list[str]
    facts: list[Fact]


_TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "domains.yaml").read_text(encoding="utf-8"))


def _values(names: str | list[str]) -> list[str]:
    """A list as it is, or the lists that a string names, joined."""
    if isinstance(names, list):
        return names
    return [value for name in names.split() for value in (PEOPLE if name == "people" else _TABLE["values"][name])]


def _domain(table: dict[str, Any]) -> Domain:
    facts = [Fact(_values(f["values"]), f["say"], f["again"], f["ask"], f["ask_entity"]) for f in table["facts"]]
    return Domain(_values(table["entities"]), table["openings"], facts)


WOMEN: list[str] = _TABLE["values"]["women"]
PEOPLE: list[str] = WOMEN + _TABLE["values"]["men"]
CITIES: list[str] = _TABLE["values"]["cities"]
FILLERS: list[str] = _TABLE["fillers"]
DOMAINS: dict[str, Domain] = {name: _domain(table) for name, table in _TABLE["domains"].items()}
