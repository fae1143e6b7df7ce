"""How much each cache keeps, and which of equals: counts worked out by hand or taken from the sources."""

import re
import warnings
from typing import Any

import pytest
import torch

from fastadasp import merging
from fastadasp.errors import ConfigError
from fastadasp.merge import snapkv
from fastadasp.merge.h2o import H2O
from fastadasp.merge.pyramidkv import PyramidKV
from fastadasp.merge.snapkv import SnapKV
from tests.helpers.tiny_decoders import prompt, tiny_decoder

LAYERS = 3


def test_pyramid_budgets() -> None:
    pyramid = PyramidKV(0.5)
    budgets = [pyramid.kept(1000, layer, 32) for layer in range(32)]
    assert (budgets[0], budgets[1], budgets[2], budgets[30], budgets[31]) == (936, 908, 880, 92, 64)
    assert sum(budgets) == 16000
    assert {PyramidKV(0.7).kept(1000, layer, 32) for layer in range(32)} == {300}


@pytest.mark.parametrize("layers", [1, 2, 3, 12, 31])
def test_a_pyramid_keeps_on_average_what_its_ratio_leaves(layers: int) -> None:
    for ratio in (0.1, 0.4, 0.5, 0.6, 0.75):
        for tokens in (*range(1, 90), 400, 401, 997):
            budgets = [PyramidKV(ratio, window=8).kept(tokens, layer, layers) for layer in range(layers)]
            assert sum(budgets) == layers * (tokens - int(tokens * ratio))
            assert budgets == sorted(budgets, reverse=True)
            assert 1 <= budgets[-1] <= budgets[0] <= tokens


def test_a_pyramid_stands_on_the_first_layer_that_evicts() -> None:
    whole, upper = PyramidKV(0.5), PyramidKV(0.5, layer=7)
    budgets = [1000 - upper.eviction(1000, layer, 39) for layer in range(39)]
    assert budgets == [1000] * 7 + [whole.kept(1000, layer, 32) for layer in range(32)]


@torch.no_grad()
def test_a_window_that_must_shrink_keeps_its_end() -> None:
    model = tiny_decoder(layers=LAYERS)
    ids, audio = prompt(10, 20, 10)
    method = SnapKV(0.6, protect_text=False)
    with merging(model, method, audio[None], keep_assignments=True) as trace:
        model(ids[None], use_cache=True)
    for assignment in trace.cache_assignments.values():
        assert [slots.nonzero().flatten().tolist() for slots in assignment.slot >= 0] == [list(range(24, 40))] * 2


@pytest.mark.parametrize("kind", [SnapKV, PyramidKV])
@pytest.mark.parametrize(
    ("stretches", "settings", "said"),
    [
        (
            (10, 20, 10),
            {},
            [r"merge\.window=64 does not fit a prompt of 40 tokens: .* the last 20", r"hold 10 of those"],
        ),
        ((10, 200, 10), {}, []),
        ((10, 200, 10), {"ratio": 0.8}, [r"of a prompt of 220 tokens, 40 of those that may go are kept.* hold 54"]),
        ((10, 200, 10), {"ratio": 0.8, "window": 49}, []),  # it holds 39 audio tokens, one may be chosen
        ((10, 200, 10), {"ratio": 0.8, "window": 50}, [r"40 of those that may go are kept.* hold 40"]),
        ((10, 200, 30, 30, 10), {"ratio": 0.8, "window": 86}, [r"46 of those .* hold 46"]),  # two clips
        ((10, 80, 10), {"ratio": 0.6, "window": 40, "protect_text": False}, [r"40 of those .* hold 40"]),
        ((10, 80, 10), {"ratio": 0.6, "window": 39, "protect_text": False}, []),
        ((40,), {}, []),  # nothing may go
    ],
)
@torch.no_grad()
def test_a_window_that_suits_no_prompt_is_spoken_of_once(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[SnapKV],
    stretches: tuple[int, ...],
    settings: dict[str, Any],
    said: list[str],
) -> None:
    monkeypatch.setattr(snapkv, "_warned", set())
    method = kind(**{"ratio": 0.5, "layer": 0, **settings})
    model = tiny_decoder(layers=LAYERS)
    ids, audio = prompt(*stretches)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            with merging(model, method, audio[None]):
                model(ids[None], use_cache=True)
    assert len(caught) == len(said)
    for warning, message in zip(caught, said, strict=True):
        assert re.search(f"{kind.__name__}: .*{message}.*; choose a smaller merge.window", str(warning.message))


def test_the_released_eviction_baseline_keeps_as_many() -> None:
    """S=100, n=60, keeping a quarter: 55 cached tokens, all 45 losses inside the audio."""
    method = H2O(0.75, recent=0.0, decode=False)
    model = tiny_decoder(layers=LAYERS)
    ids, audio = prompt(20, 60, 20)
    with torch.no_grad(), merging(model, method, audio[None], keep_assignments=True) as trace:
        model(ids[None], use_cache=True)
    assert trace.cached_tokens.flatten().tolist() == [55] * LAYERS
    for assignment in trace.cache_assignments.values():
        assert (assignment.slot >= 0)[:, ~audio].all()
        assert ((assignment.slot < 0).sum(1) == 45).all()


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"schedule": "once"}, "merge.schedule"),
        ({"window": 0}, "merge.window"),
        ({"kernel": 4}, "merge.kernel"),
        ({"beta": 0.5}, "merge.beta"),
        ({"ratio": 1.0}, "merge.ratio"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        PyramidKV(**settings)
