"""A value of a YAML file reaches the config as it is, by way of Hydra's command line."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from fastadasp.config.compose import compose, lenient
from fastadasp.config.quoting import hydra_value, quoted
from fastadasp.sweep.local import overrides

TEXTS = ["Write down, word by word, what is said.", "Don't stop", 'Say "it" (now)', "a\\", "\\'", "null", "True", "3",
         "{labels}", "[x]", "a=b:c", " ", "", "日本語", "x[/red]y", "nan", "~x", "100%", "a; b | c & d"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_as_this_text(text: str) -> None:
    assert compose("task=asr", f"task.instruction={quoted(text)}").task.instruction == text


@pytest.mark.parametrize("value", [None, True, 3, 0.25, 1e-7, [1, "a, b", None], {"yes": [], "no": ["never"]}, -2])
def test_other_values_keep_their_kind(value: object) -> None:
    (read,) = OverridesParser.create().parse_overrides([f"key={hydra_value(value)}"])
    assert read.value() == value or str(read.value()) == str(value)


def test_a_sweep_over_texts_has_as_many_points_as_texts(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        'command: [task=asr]\nparameters:\n  task.instruction: {values: ["Transcribe.", "Write, please."]}\n'
    )
    task, axis = overrides(sweep)
    (read,) = OverridesParser.create().parse_overrides([axis])
    assert task == "task=asr"
    assert list(read.sweep_string_iterator()) == ["Transcribe.", '"Write, please."']


@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_keys_of_the_trainer_need_no_sign(sign: str) -> None:
    assert lenient(f"{sign}hardware.trainer.devices=2") == "++hardware.trainer.devices=2"
    assert compose(f"{sign}hardware.trainer.devices=2").hardware.trainer.devices == 2
    assert lenient("~hardware.trainer.devices") == "~hardware.trainer.devices"
    assert lenient("merge.ratio=0.3") == "merge.ratio=0.3"
