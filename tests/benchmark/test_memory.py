"""The cache arithmetic against caches that a model really fills."""

import pytest
import torch

from fastadasp import FastAdaSP, NoReduction, merging
from fastadasp.benchmark.memory import Reduction, factor, ratio_for, table
from fastadasp.benchmark.shapes import SpeechShape
from fastadasp.reduction.method import Schedule
from tests.helpers.tiny_decoders import tiny_decoder

SHAPE = SpeechShape(layers=12, hidden=64, intermediate=96, heads=4, kv_heads=2, head_dim=16, vocab=97)
SECONDS = 80


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("schedule", Schedule)
def test_factors_are_those_of_real_caches(schedule: Schedule, earlier: bool) -> None:
    model = tiny_decoder()
    audio = torch.zeros(1, 1085, dtype=torch.bool)
    audio[:, 57:1057] = True
    ids = torch.randint(2, 97, audio.shape)
    filled = []
    for method in (NoReduction(), FastAdaSP(ratio=0.6, layer=2, schedule=schedule, earlier_caches=earlier)):
        with merging(model, method, audio) as trace, torch.inference_mode():
            model.model(input_ids=ids, use_cache=True)
        filled.append(trace.cache_bytes)
    assert factor(SHAPE, SECONDS, Reduction(schedule, 2, earlier), 0.6) == pytest.approx(
        filled[0] / filled[1],
        rel=5e-3,  # counts are whole tokens
    )


def test_ratio_that_meets_a_factor() -> None:
    reduction = Reduction(Schedule.once, 2, earlier_caches=True)
    ratio = ratio_for(SHAPE, SECONDS, reduction, 5.0)
    assert ratio is not None and factor(SHAPE, SECONDS, reduction, ratio) == pytest.approx(5.0)
    assert ratio_for(SHAPE, SECONDS, Reduction(Schedule.once, 2, earlier_caches=False), 5.0) is None


def test_table_has_every_schedule_with_and_without_the_earlier_caches() -> None:
    rows = table(SHAPE, SECONDS, 2, list(Schedule), ratios=(0.5,))
    assert [(row["schedule"], row["earlier_caches"]) for row in rows] == [
        (schedule.name, earlier) for schedule in Schedule for earlier in (False, True)
    ]
