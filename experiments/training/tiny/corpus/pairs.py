"""Lists that come twice, in two orders: to find one word by another, asked for by every second word or so."""

import random
from typing import Any

from .domains import DOMAINS
from .passages import fill
from .texts import transcript

WORDS = sorted(
    {
        value.lower()
        for domain in DOMAINS.values()
        for values in (domain.entities, *(fact.values for fact in domain.facts))
        for value in values
        if value.isalpha()
    }
)
"""What passages are about, in single words."""


def told_alike(rng: random.Random) -> dict[str, Any]:
    """One fact told of 2 to 8 entities in the same words, then in another order.

    Between bare pairs and passages: entity and value stand apart.
    """
    domain = DOMAINS[rng.choice(sorted(DOMAINS))]
    fact = rng.choice(domain.facts)
    count = rng.randint(2, min(8, len(domain.entities), len(fact.values)))
    entities = rng.sample(domain.entities, count)
    told = list(zip(entities, rng.sample(fact.values, count), strict=True))
    say = rng.choice(fact.say)
    text, again = (
        transcript(" ".join(fill(say, entity, value) for entity, value in listed))
        for listed in (told, rng.sample(told, count))
    )
    return {"text": text, "again": again}


def pairs(rng: random.Random) -> dict[str, Any]:
    """2 to 12 pairs of words, and the same in another order."""
    words = rng.sample(WORDS, 2 * rng.randint(2, 12))
    told = list(zip(words[::2], words[1::2], strict=True))
    text, again = (", ".join(" ".join(pair) for pair in listed) for listed in (told, rng.sample(told, len(told))))
    return {"text": text, "again": again}
