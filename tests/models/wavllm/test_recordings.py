"""WavLLM without weights: recordings become prompts, and what cannot be asked or loaded is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from fastadasp.data.audio import AudioError
from fastadasp.errors import ConfigError
from fastadasp.models.pretrained import ModelError
from fastadasp.models.wavllm.adapter import WavLLM
from fastadasp.models.wavllm.random import WavLLMRandom
from fastadasp.tasks.base import Example


def example(folder: Path, *seconds: float) -> Example:
    paths = tuple(folder / f"{number}.wav" for number, _ in enumerate(seconds))
    for number, (path, length) in enumerate(zip(paths, seconds, strict=True)):
        noise = np.random.default_rng(number).standard_normal(round(length * 16_000))
        soundfile.write(path, 0.1 * noise, 16_000)
    return Example(id="x", audio=paths, instruction="What?", reference="")


def test_several_files_become_one_recording_with_the_gap_asked_for(tmp_path: Path) -> None:
    two = example(tmp_path, 1.0, 0.5)
    close, apart = (WavLLMRandom(gap_seconds=gap).prepare(two) for gap in (0.0, 0.25))
    assert [int(each["audio_samples"]) for each in (close, apart)] == [24_000, 28_000]
    assert not apart["input_values"][16_000:20_000].any()
    torch.testing.assert_close(apart["input_values"][20_000:], close["input_values"][16_000:])


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="example x has no audio"):
        WavLLMRandom().prepare(Example(id="x", audio=(), instruction="", reference=""))
    with pytest.raises(AudioError, match=r"prompt has \d+ tokens, the model's limit is 100"):
        WavLLMRandom(positions=100).prepare(example(tmp_path, 1.0))
    for setting, message in (
        ({"heads": 5}, r"model\.hidden must be a multiple of model\.heads, got 64 and 5"),
        ({"hidden": 12, "heads": 4}, r"model\.hidden must be an even multiple of model\.heads"),
        ({"vocab": 100}, r"model\.vocab must be at least 355"),
        ({"gap_seconds": -1.0}, r"model\.gap_seconds must lie in \[0, 600\]"),
    ):
        with pytest.raises(ConfigError, match=message):
            WavLLMRandom(**setting)  # type: ignore[arg-type]


def test_absent_weights_are_named_with_the_way_to_get_them(tmp_path: Path) -> None:
    for path in (str(tmp_path / "gone"), "checkpoints/wavllm"):
        with pytest.raises(ModelError, match=r"(?s)model\.path=.*final\.pt.*`fastadasp convert wavllm final\.pt "):
            WavLLM(path=path)
