"""Lessons without audio: the second list holds what the first one tells, and nothing else."""

import random

from experiments.training.tiny.corpus.domains import DOMAINS
from experiments.training.tiny.corpus.pairs import pairs, told_alike
from experiments.training.tiny.corpus.texts import transcript


def test_pairs_come_again_in_another_order() -> None:
    rng = random.Random(0)
    for _ in range(50):
        listed = pairs(rng)
        told, again = ([tuple(pair.split()) for pair in listed[key].split(", ")] for key in ("text", "again"))
        assert sorted(again) == sorted(told)
        assert len({word for pair in told for word in pair}) == 2 * len(told)


def test_what_is_told_alike_names_each_entity_and_its_value_again() -> None:
    rng = random.Random(0)
    entities = {transcript(entity) for domain in DOMAINS.values() for entity in domain.entities}
    for _ in range(100):
        listed = told_alike(rng)
        named = [entity for entity in entities if f" {entity} " in f" {listed['text']} "]
        assert len(named) >= 2
        assert all(f" {entity} " in f" {listed['again']} " for entity in named)
