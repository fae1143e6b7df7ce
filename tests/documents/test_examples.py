"""The worked examples of docs/add-a-*.md run as they stand; `tests/additions` runs one of each kind in a run."""

import re
from typing import Any

import torch
import yaml
from omegaconf import OmegaConf

from fastadasp import merging
from fastadasp.config.build import build
from fastadasp.config.paths import REPOSITORY
from fastadasp.models.chat import ChatSpeechLM
from fastadasp.tasks.er import ER
from tests.helpers.configs import composed
from tests.helpers.mini.parts import text, tone
from tests.helpers.tiny_decoders import tiny_decoder as decoder


def block(page: str, language: str, number: int = 0) -> str:
    content = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    return str(re.findall(rf"```{language}\n(.*?)```", content, re.DOTALL)[number])


def test_the_method_keeps_the_tokens_of_the_largest_norm() -> None:
    names: dict[str, Any] = {"__name__": "loudest"}
    exec(compile(block("add-a-method.md", "python"), "docs/add-a-method.md", "exec"), names)
    tiny_decoder = decoder()
    inputs = torch.randn(1, 12, tiny_decoder.config.hidden_size, generator=torch.Generator().manual_seed(0))
    inputs[:, 2:10:2] *= 50
    audio = torch.zeros(1, 12, dtype=torch.bool)
    audio[:, 2:10] = True
    with torch.no_grad(), merging(tiny_decoder, names["Loudest"](ratio=0.5, layer=0), audio_mask=audio) as trace:
        tiny_decoder(inputs_embeds=inputs)
    assert trace.audio_tokens[1].tolist() == [4]


def test_the_task_of_another_corpus_reads_its_labels(tmp_path: Any) -> None:
    tone(tmp_path / "a.wav")
    text(tmp_path / "manifest.jsonl", '{"id": 1, "audio": "a.wav", "label": "scared"}\n')
    node = composed("task=er").task
    node.update({**yaml.safe_load(block("add-a-task.md", "yaml")), "manifest": str(tmp_path / "manifest.jsonl")})
    task = build(node, "task")
    assert isinstance(task, ER)
    assert [example.reference for example in task.checked_examples()] == ["fear"]


def test_the_model_is_built_without_weights() -> None:
    model = build(OmegaConf.create(block("add-a-model.md", "yaml")), "model")
    assert isinstance(model, ChatSpeechLM)
    assert (model.path, model.max_seconds) == ("owner/name", 30.0)
