"""What every task asks of every model, word for word: `python -m tests.helpers.prompts` writes the frozen list anew.

A prompt may change only together with the task's version, or with a word in the changelog about the model.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import PropertyMock, patch

from fastadasp.config.build import build
from fastadasp.models.speechlm import SpeechLM
from fastadasp.tasks.asking import asked
from fastadasp.tasks.base import Example, Task
from tests.helpers.configs import composed, options
from tests.helpers.miniatures import tone

FROZEN = Path(__file__).parents[1] / "tasks" / "prompts.jsonl"
_CHOICES = {"choices": ["red", "blue"], "answer": "B"}
LINES: dict[str, dict[str, Any]] = {
    "asr": {"text": "hello there"},
    "asr_long": {"text": "hello there"},
    "er": {"label": "sad"},
    "open_qa": {"question": "Which colour is the car?", "answer": "blue"},
    "spoken_qa": {"answer": "blue"},
    "spoken_sqa": _CHOICES,
    "sqa": {"question": "Which colour is the car?", **_CHOICES},
    "st": {"translation": "Guten Tag."},
    "sv": {"label": "no"},
}
"""A manifest line of each task, in the order of the frozen list; the test of a new task freezes its own prompt."""


def example_of(name: str, folder: Path) -> tuple[Task, Example]:
    """A task with the settings of its YAML, and an example of it."""
    tone(folder / "a.wav", 0.5)
    manifest = folder / f"{name}.jsonl"
    manifest.write_text(json.dumps({"id": "1", "audio": "a.wav", **LINES[name]}))
    task: Task = build(composed(f"task={name}", f"task.manifest={manifest}").task, "task")
    (example,) = asked(task)
    return task, example


def _model(name: str, folder: Path) -> SpeechLM:
    """A model with the settings of its YAML; a checkpoint that must be converted first is an empty config."""
    node = composed("task=asr", f"model={name}").model
    if str(node.get("path", "")).startswith("checkpoints/"):
        (folder / "config.json").write_text("{}")
        node.path = str(folder)
    adapter: SpeechLM = build(node, "model")
    return adapter


def prompts() -> Iterator[dict[str, Any]]:
    """Of each task its version and what it asks; below, of each model whose wording is another, that wording."""
    with tempfile.TemporaryDirectory() as folder:
        models = {name: _model(name, Path(folder)) for name in options("model")}
        for name in LINES:
            task, example = example_of(name, Path(folder))
            yield {"task": name, "version": task.version, "prompt": example.instruction}
            for model, adapter in models.items():
                # what is reserved is read from the checkpoint's tokenizer, which need not be here
                with patch.object(type(adapter), "reserved", new_callable=PropertyMock, return_value=()):
                    worded = adapter.wording(example)
                if worded != example.instruction:
                    yield {"task": name, "model": model, "prompt": worded}


def main() -> None:
    """Write the list."""
    lines = [json.dumps(prompt, ensure_ascii=False) + "\n" for prompt in prompts()]
    FROZEN.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
