"""Sweep files in W&B's format are read whole, or refused by the name of what is not supported."""

from pathlib import Path

import pytest

from fastadasp.errors import ConfigError
from fastadasp.sweep.file import Goal, Method, read_sweep

HEAD = 'program: run.py\ncommand: ["${env}", task=asr, logger=wandb, "${args_no_hyphens}"]\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "some.yaml"
    file.write_text(HEAD + text)
    return file


def test_nested_parameters_are_joined_by_dots_and_a_grid_has_every_combination(tmp_path: Path) -> None:
    sweep = read_sweep(
        written(
            tmp_path,
            "method: grid\nmetric: {name: wer}\nparameters:\n  merge.ratio: {values: [0.1, 0.2]}\n"
            "  hardware:\n    parameters:\n      trainer: {parameters: {devices: {min: 1, max: 2}}}\n"
            "      batch_size: {value: 4}\n",
        )
    )
    assert (sweep.method, sweep.goal, sweep.settings) == (Method.grid, Goal("wer", False), ("task=asr",))
    assert sweep.grid() == [
        (f"merge.ratio={ratio}", f"hardware.trainer.devices={devices}", "hardware.batch_size=4")
        for ratio in (0.1, 0.2)
        for devices in (1, 2)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "method: bayes\nearly_terminate: {type: hyperband}\nparameters: {a: {value: 1}}",
            "early_terminate is not.*prune",
        ),
        ("conditions: []\nparameters: {a: {value: 1}}", "conditions is not supported"),
        ("method: hyperopt\nparameters: {a: {value: 1}}", "method 'hyperopt' is not known"),
        ("metod: grid\nparameters: {a: {value: 1}}", "metod is not known; did you mean method"),
        ("metric: {name: wer, goal: min}\nparameters: {a: {value: 1}}", "metric.goal must be minimize or maximize"),
        ("metric: {name: wer, target: 3}\nparameters: {a: {value: 1}}", "metric.target is not supported"),
        ("metric: wer\nparameters: {a: {value: 1}}", "metric must be a mapping"),
        ("run_cap: 0\nparameters: {a: {value: 1}}", "run_cap must be a whole number above 0"),
        ("method: grid", "parameters must map at least one setting"),
        ("parameters: {a: 3}", "parameter a must be a mapping"),
        ("parameters: {a: {parameters: {b: {min: 1}}}}", r"parameter a\.b: min does not say"),
        ("parameters: {a: {parameters: {b: {value: 1}}, value: 2}}", "value cannot stand beside nested parameters"),
    ],
)
def test_what_is_not_supported_is_named_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"some\.yaml: .*{message}"):
        read_sweep(written(tmp_path, text))


def test_a_grid_without_an_end_is_refused(tmp_path: Path) -> None:
    sweep = read_sweep(written(tmp_path, "parameters: {a: {distribution: normal}}"))
    with pytest.raises(ConfigError, match="parameter a: the distribution normal has no list of values"):
        sweep.grid()
    many = "parameters: {" + ", ".join(f"{key}: {{min: 1, max: 99}}" for key in "abc") + "}"
    with pytest.raises(ConfigError, match="970299 points, more than 100000"):
        read_sweep(written(tmp_path, many)).grid()
