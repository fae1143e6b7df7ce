"""Merge maps: clusters followed through layers against counts that the trace gives by itself."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

import fastadasp
from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.evaluation.loggers import settings_of
from fastadasp.report.pictures.clusters import DROPPED, followed, spoken_at
from fastadasp.report.pictures.merge_map import marked, merge_map


def test_clusters_follow_fusing_dropping_and_eviction() -> None:
    def slots(*values: int) -> SimpleNamespace:
        return SimpleNamespace(slot=torch.tensor([values]))

    trace = SimpleNamespace(
        input_assignment=slots(0, 1, 1, 2, 3, 4),  # one text token, four audio, one text; 1 and 2 fused
        assignments={1: slots(0, 1, -1, 2, 3)},
        cache_assignments={0: SimpleNamespace(slot=torch.tensor([[0, 1, 2, -1, 3], [0, 1, -1, -1, 2]]))},
    )
    audio_T = np.array([False, True, True, True, True, False])
    assert followed(trace, 3, audio_T).tolist() == [[1, 1, 2, DROPPED], [1, 1, DROPPED, 2], [1, 1, DROPPED, 2]]  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_map_has_as_many_clusters_as_tokens_are_left() -> None:
    model = fastadasp.load("tiny")
    (clip,) = build(compose("task=asr", "task.limit=1").task, "task").checked_examples()
    methods = [("merged", fastadasp.FastAdaSP(ratio=0.4)), ("all", build(compose("merge=none").merge, "merge"))]
    found = merge_map(model, clip, methods)
    inputs = model.inputs(clip.audio[0], clip.instruction)
    with fastadasp.merging(model, methods[0][1], model.audio_mask(inputs)) as trace:
        model.transformers_model.generate(**inputs, max_new_tokens=2)
    counts = [len(np.unique(row[row != DROPPED])) for row in found.found[0].layers_LT]
    assert counts == trace.audio_tokens[:, 0].tolist()
    assert (found.found[1].layers_LT[-1] == found.found[1].layers_LT[0]).all()
    assert found.sound.startswith("data:audio/wav;base64,") and len(found.methods) == 2


def test_wrong_and_missing_words_are_marked() -> None:
    assert marked("the cat sat down", "The dog sat") == [
        ("", "The"),
        ("wrong", "dog"),
        ("", "sat"),
        ("missing", "down"),
    ]
    assert marked("", "noise") == [("wrong", "noise")]
    assert marked("word", "") == [("missing", "word")]


def test_words_are_placed_where_there_is_sound() -> None:
    samples = np.zeros(32000, np.float32)
    samples[16000:] = np.sin(np.arange(16000) / 5)
    places = spoken_at(["one", "two"], samples)
    assert 1.0 < places[0] < 1.5 < places[1] < 2.0
    assert spoken_at(["silence"], np.zeros(1600, np.float32)) != []


def test_loggers_get_the_settings_as_plain_nested_values() -> None:
    cfg = OmegaConf.create({"merge": {"ratio": 0.3, "layer": "${task.layer}"}, "task": {"layer": 2}})
    settings = settings_of(cfg)
    assert {key: settings[key] for key in cfg} == {"merge": {"ratio": 0.3, "layer": 2}, "task": {"layer": 2}}
