"""Cache methods that build on others' scores, and FINCH and chance: against the oracle, and what only they do."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from fastadasp.merge.adakv import AdaKV
from fastadasp.merge.cam import CaM
from fastadasp.merge.chunkkv import ChunkKV
from fastadasp.merge.criticalkv import CriticalKV
from fastadasp.merge.finch import Finch
from fastadasp.merge.h2o import H2O
from fastadasp.merge.keydiff import KeyDiff
from fastadasp.merge.knorm import Knorm
from fastadasp.merge.random_kv import RandomKV
from fastadasp.merge.snapkv import SnapKV
from fastadasp.merge.tova import TOVA
from fastadasp.ops.assignment import apply
from fastadasp.reduction.cache_method import CacheMethod
from tests.helpers.cache_family_rules import by_chunk, critical, drawn, folded, lowest_of_all_heads, of_scorer, question
from tests.helpers.cache_oracle import (
    check_against_oracle,
    last_query,
    lowest_of_each_head,
    observation_window,
    received,
    unlike_the_mean,
)
from tests.helpers.method_states import layer_state

SMALL = SnapKV(window=6, kernel=3)
METHODS = [
    (Finch(0.5), (question,)),
    (Finch(0.6, normalise=False, protect_text=False), (question,)),
    (RandomKV(0.5, seed=3), (drawn,)),
    (RandomKV(0.4, protect_text=False), (drawn,)),
    (ChunkKV(0.5, scorer=SMALL, chunk=4), (by_chunk(observation_window),)),
    (ChunkKV(0.6, scorer=KeyDiff(), chunk=7, protect_text=False), (by_chunk(unlike_the_mean),)),
    (CriticalKV(0.5, scorer=SMALL), (critical(observation_window),)),
    (CriticalKV(0.6, scorer=TOVA(), first_stage=0.2, protect_text=False), (critical(last_query),)),
    (AdaKV(0.5, scorer=SMALL), (of_scorer(observation_window), lowest_of_all_heads)),
    (AdaKV(0.7, scorer=KeyDiff(), safeguard=0.0, layer=1), (of_scorer(unlike_the_mean), lowest_of_all_heads)),
    (AdaKV(0.6, scorer=SMALL, protect_text=False), (of_scorer(observation_window), lowest_of_all_heads)),
    (AdaKV(0.6, scorer=H2O(recent=0.3, decode=False)), (of_scorer(received), lowest_of_all_heads)),
    (CaM(0.5, scorer=KeyDiff()), (of_scorer(unlike_the_mean), lowest_of_each_head, folded)),
    (
        CaM(0.6, scorer=SMALL, fold="sum", protect_text=False),
        (of_scorer(observation_window), lowest_of_each_head, folded),
    ),
    (CaM(0.7, scorer=AdaKV(scorer=KeyDiff())), (of_scorer(of_scorer(unlike_the_mean)), lowest_of_all_heads, folded)),
]


@pytest.mark.crossed
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(("method", "rules"), METHODS, ids=lambda value: type(value).__name__)
def test_caches_and_answers_are_the_oracles(method: CacheMethod, rules: tuple[Any, ...], attention: str) -> None:
    check_against_oracle(method, attention, *rules)


def test_the_values_of_equal_tokens_survive_their_mean() -> None:
    state = layer_state(0.6)
    state.values_BGTd[:] = torch.randn(state.values_BGTd.shape[3])
    method = CaM(0.6, scorer=Knorm(), layer=0)
    keys = method.assign(state)
    moved = apply(state.values_BGTd.flatten(0, 1), method.assign_values(state, keys))
    kept = apply(state.values_BGTd.flatten(0, 1), keys)
    torch.testing.assert_close(moved, kept)


def test_chance_draws_anew_for_each_head_layer_and_seed() -> None:
    state = layer_state(0.5)
    scores = [RandomKV(0.5, seed=seed).score(replace(state, layer=layer)) for seed, layer in ((0, 1), (1, 1), (0, 2))]
    chances = [score[0, head, state.audio_BT[0]] for score in scores for head in range(2)]
    assert all((a != b).any() for i, a in enumerate(chances) for b in chances[:i])
