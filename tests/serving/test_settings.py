"""What a server is told, and what it refuses."""

import json
from typing import Any

import pytest

from fastadasp.errors import ConfigError
from fastadasp.merge.blend_input import BlendInput, Weights
from fastadasp.serving.settings import ENVIRONMENT, Served, from_environment, split
from fastadasp.serving.vllm.families import refusal


def test_a_server_runs_the_method_with_the_defaults_of_its_option_but_for_the_bias() -> None:
    served = Served.of({"merge": "blend_input", "ratio": 0.5})
    assert isinstance(served.method, BlendInput)
    assert (served.method.ratio, served.method.proportional, served.method.longest) == (0.5, False, 8)
    assert served.original


def test_options_reach_the_method() -> None:
    served = Served.of({"merge": "blend_input", "merge_options": {"weights": "plain", "positions": "packed"}})
    assert isinstance(served.method, BlendInput)
    assert (served.method.weights, served.original, served.method.ratio) == (Weights.plain, False, 0.0)


@pytest.mark.parametrize(
    ("request_", "ratio"), [({}, 0.5), ({"ratio": 0.3}, 0.3), ({"merge": "none"}, 0.0), ({"ratio": 0}, 0.0)]
)
def test_a_request_may_have_a_ratio_of_its_own(request_: dict[str, Any], ratio: float) -> None:
    assert Served.of({"merge": "blend_input", "ratio": 0.5}).ratio(request_) == ratio


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": 0.5}, "`merge` is missing; settings look like"),
        ({"merge": "blend_inptu"}, "`merge` is 'blend_inptu', which is no method; .*blend_input"),
        ({"merge": "blend_input", "ratio": 1.0}, r"ratio must lie in \[0, 1\), got 1.0"),
        ({"merge": "blend_input", "ratio": "half"}, r"ratio must lie in \[0, 1\), got 'half'"),
        ({"merge": "fastadasp"}, "merge=fastadasp cannot be served: it acts at the site `decoder`"),
        ({"merge": "snapkv"}, "merge=snapkv cannot be served: it acts at the site `cache`"),
        ({"merge": "affinity_pooling", "merge_options": {"threshold": 0.8}}, "its threshold decides"),
        ({"merge": "blend_input", "merge_options": {"proportional": True}}, "paged attention does not take"),
        ({"merge": "blend_input", "merge_options": {"flops_reduction": 0.5}}, "a server takes `ratio` alone"),
        ({"merge": "blend_input", "merge_options": {"longset": 4}}, "merge.longset does not exist.*longest"),
        ({"merge": "blend_input", "merge_options": [4]}, "`merge_options` must be a mapping"),
    ],
)
def test_wrong_settings_end_in_one_clear_error(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Served.of(settings)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"merge": "stride"}, "the method of a server is fixed when the server starts"),
        ({"merge_options": {"longest": 4}}, "fixed when the server starts"),
        ({"ratio": -0.1}, r"ratio must lie in \[0, 1\), got -0.1"),
    ],
)
def test_a_request_cannot_change_the_method(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Served.of({"merge": "blend_input", "ratio": 0.5}).ratio(request_)


def test_settings_are_told_from_those_of_the_processor() -> None:
    own, others = split({"merge": "blend_input", "ratio": 0.5, "sampling_rate": 16000})
    assert own == {"merge": "blend_input", "ratio": 0.5}
    assert others == {"sampling_rate": 16000}
    assert split(None) == ({}, {})


def test_the_environment_may_hold_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert from_environment() == {}
    settings = {"merge": "stride", "ratio": 0.5}
    monkeypatch.setenv(ENVIRONMENT, json.dumps(settings))
    assert from_environment() == settings
    monkeypatch.setenv(ENVIRONMENT, "blend_input")
    with pytest.raises(ConfigError, match=f"{ENVIRONMENT} is no JSON object"):
        from_environment()
    monkeypatch.setenv(ENVIRONMENT, '{"method": "stride"}')
    with pytest.raises(ConfigError, match="holds method; allowed are merge, ratio, merge_options"):
        from_environment()


def test_models_that_cannot_be_served_are_told_with_the_reason() -> None:
    assert "its tokenizer (mistral-common) writes the placeholders" in refusal("VoxtralForConditionalGeneration")
    assert "mix audio with pictures and video" in refusal("Qwen2_5OmniModel")
    assert "this package has not tried it; models that can are AudioFlamingo3" in refusal("UltravoxModel")
