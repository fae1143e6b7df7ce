"""No prompt changes unnoticed: scores are comparable only between equal prompts."""

import json
from pathlib import Path

from fastadasp.models.qwen2_audio import Qwen2Audio
from tests.helpers.configs import options
from tests.helpers.prompts import FROZEN, LINES, example_of, prompts


def test_prompts_of_every_task_and_model_are_the_frozen_ones() -> None:
    frozen = [json.loads(line) for line in FROZEN.read_text(encoding="utf-8").splitlines()]
    found = list(prompts())
    assert found == frozen, (
        "a prompt or a task's version has changed: raise the version, then python -m tests.helpers.prompts"
    )


def test_every_task_has_a_line_in_the_list_or_a_test_of_its_own() -> None:
    own = {name for name in options("task") if Path(__file__).with_name(f"test_{name}.py").is_file()}
    assert set(LINES) <= set(options("task")) <= set(LINES) | own


def test_the_bundled_model_reads_the_frozen_text_inside_its_chat_template(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from fastadasp.config.build import build
    from tests.helpers.configs import composed

    model = build(composed("task=er", "model=tiny").model, "model")
    assert isinstance(model, Qwen2Audio)
    _, example = example_of("er", tmp_path)
    content = [{"type": "audio"}, {"type": "text", "text": model.wording(example)}]
    assert example.instruction in model.render(content, 1)
