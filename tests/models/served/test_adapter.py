"""The settings of a served model, and the requests that follow from them."""

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fastadasp.data.audio_options import AudioOptions
from fastadasp.data.listen import listen
from fastadasp.errors import ConfigError
from fastadasp.models.base import Generation
from fastadasp.models.served.adapter import AudioPart, LengthKey, SampleFormat, ServedModel
from fastadasp.tasks.base import Example

URL = "http://localhost:8000/v1"


@pytest.fixture
def example(tones: Path) -> Example:
    return Example("two", (tones.parent / "2.wav", tones.parent / "3.wav"), "Same voice?", "yes", task="sv")


def sent(part: dict[str, Any]) -> Any:
    """The samples in a part of a message."""
    data = part["input_audio"]["data"] if part["type"] == "input_audio" else part["audio_url"]["url"]
    return soundfile.read(io.BytesIO(base64.b64decode(data.partition("base64,")[2] or data)), dtype="float32")


@pytest.mark.parametrize("part", list(AudioPart))
def test_a_prompt_holds_every_recording_and_then_the_text(example: Example, part: AudioPart) -> None:
    served = ServedModel(base_url=URL, audio_part=part, system="Be brief.", instructions={"sv": "Hm? {instruction}"})
    system, user = served.prepare(example).messages
    assert system == {"role": "system", "content": "Be brief."}
    first, second, text = user["content"]
    assert text == {"type": "text", "text": "Hm? Same voice?"}
    assert [first["type"], second["type"]] == [part.name, part.name]
    for audio, path in ((first, example.audio[0]), (second, example.audio[1])):
        samples, rate = sent(audio)
        known, known_rate = soundfile.read(path, dtype="float32")
        assert rate == known_rate == 16000
        np.testing.assert_array_equal(samples, known)
    if part is AudioPart.audio_url:
        assert first["audio_url"]["url"].startswith("data:audio/wav;base64,")
    else:
        assert first["input_audio"]["format"] == "wav"


def test_the_text_may_stand_first_and_the_audio_have_another_rate(example: Example) -> None:
    (user,) = ServedModel(base_url=URL, audio_first=False, sample_rate=8000).prepare(example).messages
    assert [part["type"] for part in user["content"]] == ["text", "input_audio", "input_audio"]
    samples, rate = sent(user["content"][1])
    assert (rate, len(samples)) == (8000, round(0.4 * 8000))


def test_floats_keep_samples_to_the_last_bit_and_integers_to_one_part_in_32768(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, 3000).astype(np.float32)
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise, 16000, subtype="FLOAT")
    example = Example("noise", (path,), "What is it?", "")
    heard = listen(path, 9.0, 16000, AudioOptions()).samples
    (exact,) = ServedModel(base_url=URL, samples=SampleFormat.float32).prepare(example).messages
    (rounded,) = ServedModel(base_url=URL).prepare(example).messages
    np.testing.assert_array_equal(sent(exact["content"][0])[0], heard)
    difference = np.abs(sent(rounded["content"][0])[0] - heard)
    assert 0 < difference.max() <= 1 / 2**15


def test_greedy_decoding_and_sampling_become_fields_of_the_request() -> None:
    served = ServedModel(base_url=URL)
    assert served.body(Generation(max_new_tokens=7), seed=3) == {"max_tokens": 7, "temperature": 0.0}
    drawn = Generation(do_sample=True, temperature=0.7, top_p=0.9, top_k=5, repetition_penalty=1.1)
    assert served.body(drawn, seed=3) == {
        **{"max_tokens": 128, "temperature": 0.7, "top_p": 0.9, "seed": 3},
        **{"top_k": 5, "repetition_penalty": 1.1},
    }
    more = {"mm_processor_kwargs": {"ratio": 0.3}}
    newer = replace(served, length_key=LengthKey.max_completion_tokens, stream=True, extra_body=more)
    assert newer.body(Generation(), seed=0) == {
        **{"max_completion_tokens": 128, "temperature": 0.0, "stream": True},
        **{"stream_options": {"include_usage": True}, "mm_processor_kwargs": {"ratio": 0.3}},
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "localhost:8000"}, "is no address of a server; it looks like http://localhost:8000/v1"),
        ({"base_url": "http://host:port/v1"}, "is no address"),
        ({"base_url": "http://me:hush@host/v1"}, "must hold no password"),
        ({"base_url": "http://host/v1?key=hush"}, "must hold no password and no query"),
        ({"api_key_env": "sk-hush"}, "must be the name of an environment variable"),
        ({"concurrency": 0, "attempts": 0}, "model.concurrency must be at least 1, got 0\nmodel.attempts"),
        ({"timeout_s": float("inf")}, "model.timeout_s must be a number above 0, got inf"),
        ({"tokens_per_minute": 0.0}, "model.tokens_per_minute must be a number above 0"),
        ({"name": " "}, "model.name must be the name of a model"),
        ({"extra_body": {"temperature": 1}}, r"model.extra_body.temperature cannot be set: set generation\.\*"),
        ({"extra_body": {"messages": []}}, "model.extra_body.messages cannot be set: the run sets it"),
    ],
)
def test_wrong_settings_are_refused_and_secrets_not_repeated(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        ServedModel(**{"base_url": URL, **settings})
    assert "hush" not in str(caught.value)


def test_a_variable_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert ServedModel(base_url=URL).key() is None
    with pytest.raises(ConfigError, match=r"model.api_key_env=NO_SUCH_KEY: the environment has no such variable"):
        ServedModel(base_url=URL, api_key_env="NO_SUCH_KEY").key()
