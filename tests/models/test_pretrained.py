"""Checkpoints on disk: what loads, and what is said about those that do not."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2Config

from fastadasp.models.base import Generation
from fastadasp.models.pretrained import ModelError
from fastadasp.models.qwen2_audio import Qwen2Audio
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.tasks.base import Example

CPU = {"device": "cpu", "dtype": "float32", "attention": "sdpa"}


@pytest.fixture(scope="module")
def source() -> Qwen2AudioRandom:
    source = Qwen2AudioRandom(layers=2)
    source.load(**CPU)
    return source


@pytest.fixture
def folder(source: Qwen2AudioRandom, tmp_path: Path) -> Path:
    """The random model as a checkpoint folder."""
    source.model.save_pretrained(tmp_path / "checkpoint")
    source.processor.save_pretrained(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_a_saved_model_answers_like_the_original(source: Qwen2AudioRandom, folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).standard_normal(20_000) / 9, 16_000)
    example = Example(id="1", audio=(tmp_path / "a.wav",), instruction="Transcribe the speech.", reference="")
    loaded = Qwen2Audio(path=str(folder))
    assert loaded.shape == source.shape
    loaded.load(**CPU)
    answers = []
    for adapter in (source, loaded):
        inputs = adapter.encode([adapter.prepare(example)])
        answers.append(adapter.generate(inputs, Generation(max_new_tokens=12))[0].tolist())
    assert answers[0] == answers[1]


def test_missing_weights_are_an_error_not_random_numbers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if name.endswith("layers.1.mlp.up_proj.weight"))
    save_file(
        {name: value for name, value in weights.items() if name != lost}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ModelError, match=r"lacks 1 weights: .*layers\.1\.mlp\.up_proj\.weight"):
        Qwen2Audio(path=str(folder)).load(**CPU)


def test_only_safetensors_are_read(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    folder.joinpath("model.safetensors").unlink()
    with pytest.raises(ModelError, match="safetensors"):
        Qwen2Audio(path=str(folder)).load(**CPU)


def test_a_checkpoint_of_another_family_is_named(folder: Path) -> None:
    Qwen2Config(num_hidden_layers=1).save_pretrained(folder)
    with pytest.raises(ModelError, match="holds a qwen2 checkpoint, Qwen2Audio loads qwen2_audio"):
        Qwen2Audio(path=str(folder)).load(**CPU)


def test_folders_that_are_no_checkpoint_are_refused_before_loading(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"does not exist\nGive the folder of a checkpoint, or a hub id"):
        Qwen2Audio(path=str(folder / "gone"))
    folder.joinpath("config.json").unlink()
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        Qwen2Audio(path=str(folder))


def test_a_damaged_file_and_an_unreachable_id_say_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ModelError, match=r"(?s)model\.path=nobody/nothing cannot be loaded: .*hf download nobody/nothing"
    ):
        Qwen2Audio(path="nobody/nothing").load(**CPU)
    shutil.copy(folder / "config.json", folder / "model.safetensors")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Qwen2Audio(path=str(folder)).load(**CPU)
