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
    """One fact told of 2 to 8 entities in the same words, then in another order and perhaps in other words.

    Between bare pairs and passages: entity and value stand apart. Turned around, each value with its entity alone.
    """
    domain = DOMAINS[rng.choice(sorted(DOMAINS))]
    fact = rng.choice(domain.facts)
    count = rng.randint(2, min(8, len(domain.entities), len(fact.values)))
    entities = rng.sample(domain.entities, count)
    told = list(zip(entities, rng.sample(fact.values, count), strict=True))
    first, second = rng.choice(fact.say), rng.choice(fact.say)
    turned = rng.random() < 0.4
    listed = rng.sample(told, count)
    again = [f"{value} {entity}" if turned else fill(second, entity, value) for entity, value in listed]
    text = " ".join(fill(first, entity, value) for entity, value in told)
    return {"text": transcript(text), "again": transcript(" ".join(again)), "turned": turned}


def pairs(rng: random.Random) -> dict[str, Any]:
    """2 to 12 pairs of words, and the same in another order, each pair perhaps turned around."""
    words = rng.sample(WORDS, 2 * rng.randint(2, 12))
    told = list(zip(words[::2], words[1::2], strict=True))
    turned = rng.random() < 0.4
    again = [pair[::-1] if turned else pair for pair in rng.sample(told, len(told))]
    text, repeated = (", ".join(" ".join(pair) for pair in listed) for listed in (told, again))
    return {"text": text, "again": repeated, "turned": turned}
