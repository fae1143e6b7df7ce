"""Which test shows what of which family: a table that is wrong as soon as a family, or a test of it, is missing."""

import ast
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fastadasp.config.paths import options
from tests.helpers.speech_families import FAMILIES
from tests.models import test_speech_families
from tests.models.qwen_audio.test_qwen_audio_prompts import PROMPTS as QWEN_PROMPTS
from tests.models.wavllm import test_prompts as wavllm_prompts

HERE = Path(__file__).parent
CHAT = "fastadasp.models.chat.ChatSpeechLM"
GENERAL = "test_speech_families.py"
WAVLLM, QWEN2 = "wavllm/test_adapter.py", "test_qwen2_audio.py"
QWEN, QWEN_PROMPT = "qwen_audio/test_qwen_audio_merging.py", "qwen_audio/test_qwen_audio_prompts.py"
SHOWN: dict[str, dict[str, str]] = {
    "ratio 0 is the unpatched class": {
        CHAT: f"{GENERAL}::test_without_a_reduction_the_answers_are_those_of_the_unpatched_class",
        "wavllm": f"{WAVLLM}::test_without_a_reduction_the_answer_is_that_of_the_plain_model_whichever_way_the_prompt"
        "_is_read",
        "qwen_audio": f"{QWEN}::test_a_ratio_of_zero_is_the_unpatched_model",
        "qwen2_audio": f"{QWEN2}::test_a_ratio_of_zero_is_the_unpatched_class",
    },
    "a row of a batch is as alone, greedy and in beams": {
        CHAT: f"{GENERAL}::test_a_row_of_a_reduced_batch_answers_as_it_does_alone",
        "wavllm": f"{WAVLLM}::test_a_row_of_a_batch_gives_what_it_gives_alone",
        "qwen_audio": f"{QWEN}::test_a_row_of_a_batch_gives_what_it_gives_alone",
        "qwen2_audio": f"{QWEN2}::test_an_example_gets_the_same_answer_alone_and_in_a_batch",
    },
    "tokens of each layer": {
        CHAT: f"{GENERAL}::test_each_layer_keeps_the_tokens_that_the_schedule_says",
        "wavllm": f"{WAVLLM}::test_every_layer_holds_what_the_schedule_says_and_the_cache_what_the_trace_says",
        "qwen_audio": f"{QWEN}::test_every_layer_holds_the_tokens_of_the_schedule",
        "qwen2_audio": f"{QWEN2}::test_every_layer_holds_the_tokens_of_the_schedule",
    },
    "frozen prompts": {
        CHAT: f"{GENERAL}::test_the_prompt_of_a_task_stays_as_it_is",
        "wavllm": "wavllm/test_prompts.py::test_every_task_is_asked_in_the_words_that_wavllm_was_shipped_with",
        "qwen_audio": f"{QWEN_PROMPT}::test_every_prompt_is_frozen",
        "qwen2_audio": f"{QWEN_PROMPT}::test_every_prompt_is_frozen",
    },
    "absent weights": {
        CHAT: f"{GENERAL}::test_absent_weights_are_told_with_the_id_and_how_to_get_them",
        "wavllm": "wavllm/test_recordings.py::test_absent_weights_are_named_with_the_way_to_get_them",
        "qwen_audio": f"{QWEN_PROMPT}::test_weights_that_are_not_there_say_how_to_get_them",
        "qwen2_audio": f"{GENERAL}::test_absent_weights_are_told_with_the_id_and_how_to_get_them",
    },
}
"""By property, and by the class that loads all families of a kind or by the family: where that is shown."""

FAMILY_OF = {
    "wavllm": "wavllm",
    "qwen_audio": "qwen_audio",
    "qwen_audio_chat": "qwen_audio",
    "qwen2_audio_7b": "qwen2_audio",
    "qwen2_audio_7b_instruct": "qwen2_audio",
}
"""The options with code of their own."""
IN_TESTS = {test_speech_families.OPTIONS.get(name, name): name for name in FAMILIES}
"""The options that need a YAML alone, and their name among FAMILIES."""
OPTIONS = sorted(name for name in options("model") if name not in ("hf", "tiny", "openai") and "_random" not in name)


@pytest.mark.parametrize("what", SHOWN)
@pytest.mark.parametrize("option", OPTIONS)
def test_each_property_of_each_family_is_shown_by_a_test(option: str, what: str) -> None:
    assert option in IN_TESTS or option in FAMILY_OF, f"no test is known to build conf/model/{option}.yaml"
    general = OmegaConf.load(options("model")[option])["_target_"] == CHAT
    file, _, name = SHOWN[what][CHAT if general else FAMILY_OF[option]].partition("::")
    tests = {
        node.name: node for node in ast.walk(ast.parse((HERE / file).read_text())) if isinstance(node, ast.FunctionDef)
    }
    assert name in tests, f"{file} has no {name}"
    if general and what != "absent weights":  # these run for all of FAMILIES by the fixture
        assert "adapter" in [argument.arg for argument in tests[name].args.args]


def test_frozen_prompts_and_rates_are_there_for_each_family() -> None:
    assert set(test_speech_families.PROMPTS) == set(test_speech_families.PER_SECOND) == set(FAMILIES)
    five = {"asr", "st", "er", "sqa", "sv"}
    for option in ("qwen_audio", "qwen_audio_chat", "qwen2_audio_7b", "qwen2_audio_7b_instruct"):
        assert {task for model, task in QWEN_PROMPTS if model == option} == five
    (rows,) = wavllm_prompts.test_every_task_is_asked_in_the_words_that_wavllm_was_shipped_with.pytestmark  # type: ignore[attr-defined]
    assert five == {task for task, *_ in rows.args[1]}


def test_the_error_for_absent_weights_is_tried_with_every_hub_id() -> None:
    tried = {*test_speech_families.HUB, *IN_TESTS}
    local = {"wavllm", "qwen_audio", "qwen_audio_chat"}
    assert tried - {"hf"} == set(OPTIONS) - local, "those that are converted first are tried beside their converters"
