"""Values in the spellings of an agent of W&B mean what the same sweep file means to the offline reader."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fastadasp.config.build import build
from fastadasp.config.compose import compose, compose_run, lenient
from fastadasp.config.meaning import as_meant
from fastadasp.errors import ConfigError
from fastadasp.sweep.local import overrides

PAIRS = [
    ("merge.layer=2.0", "merge.layer=2"),
    ("merge.layer_ratio=None", "merge.layer_ratio=null"),
    ("merge.earlier_caches=True", "merge.earlier_caches=true"),
    ("merge.ratio=0", "merge.ratio=0.0"),
    ("merge.ratio=3e-01", "merge.ratio=0.3"),
    ("merge.flops_reduction=None", "merge.flops_reduction=null"),
    ("task.limit=4.0", "task.limit=4"),
    ("task.limit=None", "task.limit=null"),
    ("task.audio.encoding=None", "task.audio.encoding=null"),
    ("hardware.batch_size=2.0", "hardware.batch_size=2"),
    ("hardware.threads=None", "hardware.threads=null"),
    ("generation.max_new_tokens=16.0", "generation.max_new_tokens=16"),
    ("seed=1.0", "seed=1"),
    ("model.max_seconds=30", "model.max_seconds=30.0"),
]


@pytest.mark.parametrize(("agent", "plain"), PAIRS)
def test_both_spellings_give_one_run_with_equal_settings(agent: str, plain: str) -> None:
    (first, folder), (second, same) = compose_run([agent]), compose_run([plain])
    assert folder == same
    assert repr(OmegaConf.to_container(first)) == repr(OmegaConf.to_container(second))


def test_a_sweep_file_means_the_same_to_an_agent_and_to_the_offline_reader(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "method: grid\ncommand: [task=sqa, merge=segment_topk]\nparameters:\n  merge.layer_ratio: {values: [null]}\n"
        "  merge.ratio: {value: 0.5}\n  task.limit: {values: [4]}\n  merge.earlier_caches: {values: [true]}\n"
    )
    by_agent = ["task=sqa", "merge=segment_topk", "merge.layer_ratio=None", "merge.ratio=0.5", "task.limit=4.0"]
    assert repr(compose(*overrides(file))) == repr(compose(*by_agent, "merge.earlier_caches=True"))


def test_settings_of_nested_nodes_and_of_lists_are_meant_likewise() -> None:
    nested = OmegaConf.create(
        {
            "merge": {
                "_target_": "fastadasp.merge.chain.Chain",
                "decoder": {"_target_": "fastadasp.merge.fastadasp.FastAdaSP", "layer": 3.0},
            },
            "hardware": {"_target_": "fastadasp.evaluation.hardware.Hardware", "trainer": {"devices": [0.0, 1.0]}},
            "selection": {"_target_": "fastadasp.selection.settings.Selection", "layers": [2.0, 4.0]},
        }
    )
    meant = as_meant(nested, apart=())
    assert repr(meant.merge.decoder.layer) == "3"
    assert repr(list(meant.hardware.trainer.devices)) == "[0, 1]"
    assert repr(list(meant.selection.layers)) == "[2, 4]"


def test_python_none_is_null_for_keys_that_no_class_describes() -> None:
    assert lenient("benchmark=None") == "benchmark=null"
    assert compose("benchmark=None").benchmark is None


@pytest.mark.parametrize("setting", ["merge.layer=2.5", "merge.layer=None", "merge.ratio=None", "merge.layer=True"])
def test_what_fits_no_field_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"merge\."):
        build(compose(setting).merge, "merge")


def test_a_config_that_is_as_meant_is_not_copied() -> None:
    cfg = compose("task=sqa")
    assert as_meant(cfg) is cfg
