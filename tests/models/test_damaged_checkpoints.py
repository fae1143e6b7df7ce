"""Checkpoints with damaged or hostile files end in a ModelError that names what is wrong, before anything runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from fastadasp.models.base import Generation
from fastadasp.models.pretrained import ModelError
from fastadasp.models.qwen2_audio import Qwen2Audio
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.tasks.base import Example

CPU = {"device": "cpu", "dtype": "float32", "attention": "sdpa"}
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Qwen2AudioRandom(layers=2)
    source.load(**CPU)
    folder = tmp_path_factory.mktemp("checkpoint")
    source.model.save_pretrained(folder)
    source.processor.save_pretrained(folder)
    soundfile.write(folder / "a.wav", np.random.default_rng(0).standard_normal(8000) / 9, 16_000)
    return folder


def answer(folder: Path) -> str:
    adapter = Qwen2Audio(path=str(folder))
    example = Example(id="1", audio=(folder / "a.wav",), instruction="Transcribe the speech.", reference="")
    assert adapter.shape.layers == 2
    prepared = adapter.prepare(example)
    adapter.load(**CPU)
    return adapter.generate(adapter.encode([prepared]), Generation(max_new_tokens=2))[1][0]


def content(name: str, text: str | bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def entry(name: str, key: str, value: Any) -> Damage:
    def change(folder: Path) -> None:
        whole = json.loads((folder / name).read_text())
        node = whole
        *path, last = key.split(".")
        for step in path:
            node = node[step]
        node[last] = value
        (folder / name).write_text(json.dumps(whole))

    return change


def index(file: object, text: str | None = None) -> Damage:
    def change(folder: Path) -> None:
        names = list(load_file(folder / "model.safetensors"))
        (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
        (folder / "weights.bin").write_bytes(b"\x80\x02garbage")
        listed = json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, file)})
        (folder / "model.safetensors.index.json").write_text(listed if text is None else text)

    return change


CONFIG, TEMPLATE, TOKENIZER = "config.json", "chat_template.jinja", "tokenizer.json"
PROCESSOR, SETTINGS = "processor_config.json", "tokenizer_config.json"
DAMAGES: list[tuple[Damage, str]] = [
    (content(CONFIG, ""), "is not a valid JSON file"),
    (content(CONFIG, "{}"), r"config\.json .*Unrecognized model"),
    (content(CONFIG, '{"a":' * 5000), "recursion"),
    (entry(CONFIG, "text_config.hidden_size", "big"), "'hidden_size' expected int, got str"),
    (entry(CONFIG, "text_config.hidden_size", None), "'hidden_size' expected int"),
    (entry(CONFIG, "text_config.hidden_size", 0), "hidden_size of the decoder must be a whole number from 1, got 0"),
    (entry(CONFIG, "text_config.intermediate_size", 7), r"not of the sizes that config\.json says: .* is \("),
    (entry(CONFIG, "text_config.num_attention_heads", 0), "num_attention_heads of the decoder must be"),
    (entry(CONFIG, "text_config.num_attention_heads", 3), "is no multiple of num_key_value_heads"),
    (entry(CONFIG, "text_config.num_key_value_heads", 0), "num_key_value_heads of the decoder must be"),
    (entry(CONFIG, "text_config.vocab_size", -1), "vocab_size must be a whole number from 1, got -1"),
    (entry(CONFIG, "text_config.vocab_size", 10), "audio_token_id must be the id .* from 0 to 9"),
    (entry(CONFIG, "text_config", "x"), "'text_config'"),
    (entry(CONFIG, "text_config", None), r"config\.json: text_config is None; it must describe"),
    (entry(CONFIG, "text_config", {}), r"config\.json: text_config is \{\}; it must describe"),
    (entry(CONFIG, "audio_config", None), r"config\.json: audio_config is None; it must describe"),
    (entry(CONFIG, "text_config.model_type", "nonsense"), "Unrecognized model type"),
    (entry(CONFIG, "text_config.hidden_act", "nonsense"), "KeyError: 'nonsense'"),
    (entry(CONFIG, "text_config.layer_types", ["x"]), "layer_types"),
    (entry(CONFIG, "audio_config.d_model", 0), "ZeroDivisionError"),
    (entry(CONFIG, "architectures", 3), "has no model class None"),
    (entry(CONFIG, "architectures", ["pipeline"]), "has no model class 'pipeline'"),
    (entry(CONFIG, "architectures", ["GenerationConfig"]), "has no model class 'GenerationConfig'"),
    (entry(CONFIG, "audio_token_id", None), "audio_token_id must be the id"),
    (entry(CONFIG, "dtype", "float99"), "float99"),
    (content(TOKENIZER, "{}"), r"its tokenizer or processor \(KeyError: 'added_tokens'\)"),
    (content(TOKENIZER, "[]"), "its tokenizer or processor"),
    (content(TOKENIZER, ""), "its tokenizer or processor .JSONDecodeError"),
    (entry(TOKENIZER, "model", None), "its tokenizer or processor"),
    (entry(TOKENIZER, "model.vocab", {}), "the tokenizer gives '<|AUDIO|>' the id"),
    (content(SETTINGS, "[]"), "its tokenizer or processor"),
    (entry(SETTINGS, "eos_token", 3), "Special token eos_token has to be"),
    (content(PROCESSOR, "[]"), "its tokenizer or processor"),
    (entry(PROCESSOR, "feature_extractor.sampling_rate", "x"), "its tokenizer or processor"),
    (entry(PROCESSOR, "feature_extractor.feature_size", 3), "gives 3 mel bands, but config.json's encoder takes 128"),
    (entry(PROCESSOR, "audio_token", "<zz>"), "the tokenizer gives '<zz>' the id None"),
    (entry(PROCESSOR, "processor_class", "WhisperProcessor"), r"\(WhisperProcessor\) must have a tokenizer"),
    (content(TEMPLATE, "{{ messages[0]['content'][-1]['text'] }}"), r"writes 0 times <\|AUDIO\|>.* has 1 clips"),
    (content(TEMPLATE, "<|AUDIO|><|AUDIO|>"), r"writes 2 times <\|AUDIO\|>"),
    (content(TEMPLATE, "{% for"), "its chat template cannot be used: unexpected"),
    (content(TEMPLATE, "{{ raise_exception('no system') }}"), "its chat template cannot be used: no system"),
    (content(TEMPLATE, "{{ messages.foo.bar }}"), "its chat template cannot be used"),
    (content(TEMPLATE, "{{ ''.__class__.__mro__ }}"), "its chat template cannot be used: access to attribute"),
    (content("generation_config.json", "[]"), "cannot be loaded"),
    (entry("generation_config.json", "eos_token_id", "x"), "eos_token_id must be an id or a list of ids, got 'x'"),
    (content("model.safetensors", b"garbage" * 99), "deserializing header"),
    (lambda folder: torch.save({}, folder / "model.safetensors"), "deserializing header"),
    (index("weights.bin"), "names 'weights.bin' for .*; only .safetensors files of the same folder are read"),
    (index("../model.safetensors"), "names '../model.safetensors' for"),
    (index("/model.safetensors"), "names '/model.safetensors' for"),
    (index(3), "names 3 for"),
    (index("gone.safetensors"), "gone.safetensors"),
    (index("", "[]"), r"index\.json: must hold a JSON object"),
    (index("", "{}"), "has no weight_map"),
    (index("", '{"weight_map": []}'), "has no weight_map"),
    (index("", ""), r"index\.json: not JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), DAMAGES, ids=[message[:40] for _, message in DAMAGES])
def test_a_damaged_file_is_told_by_what_is_wrong(whole: Path, tmp_path: Path, damage: Damage, message: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    damage(folder)
    with pytest.raises(ModelError, match=rf"(?s)^model\.path={folder}.*{message}") as caught:
        answer(folder)
    assert len(str(caught.value)) < 800


def test_whole_checkpoints_in_one_and_in_several_files_answer_alike(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    alone = answer(folder)
    index("model-00001-of-00001.safetensors")(folder)
    assert answer(folder) == alone
