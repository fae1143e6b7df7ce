"""Every option of every group composes and builds; what is wrong is named, with what is allowed."""

from dataclasses import fields
from pathlib import Path

import pytest
from hydra.errors import HydraException
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

from fastadasp.config.build import build
from fastadasp.config.messages import explain
from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import ConfigError
from fastadasp.evaluation.setup import validate
from tests.helpers.configs import composed, options, with_value

TYPED_GROUPS = ("model", "task", "merge", "hardware", "generation")
NEEDS_A_FILE = {("model", "tiny"), ("model", "wavllm"), ("task", "spoken_qa"), ("task", "spoken_sqa")}


TYPED_OPTIONS = [(group, option) for group in TYPED_GROUPS for option in options(group)]
OVERLAYS = sorted(path.stem for path in (REPOSITORY / "experiments").glob("*.yaml"))


@pytest.mark.parametrize(("group", "option"), TYPED_OPTIONS)
def test_every_option_builds_and_names_all_of_its_settings(group: str, option: str) -> None:
    node = composed(f"{group}={option}")[group]
    settings = set(node) - {"_target_"}
    assert settings == {field.name for field in fields(get_class(node._target_))}, (
        "a key not listed cannot be overridden"
    )
    if (group, option) not in NEEDS_A_FILE:
        assert isinstance(build(node, group), get_class(node._target_))


@pytest.mark.parametrize("option", options("logger"))
def test_every_logger_composes(option: str) -> None:
    loggers = composed(f"logger={option}").logger
    assert all(get_class(node._target_) for node in loggers.values())
    assert bool(loggers) == (option != "none")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_point_of_every_overlay_builds(overlay: str) -> None:
    cfg = composed(f"experiments={overlay}")
    for key, values in (cfg.hydra.sweeper.params or {}).items():
        for value in str(values).split(","):
            assert build(with_value(cfg, key, value).merge, "merge")


def test_dense_tasks_merge_at_every_layer_and_sparse_ones_at_one_whatever_the_method() -> None:
    for merge in ("fastadasp", "average", "random_evict"):
        for task, schedule in (("asr", "constant"), ("st", "constant"), ("er", "once"), ("sqa", "once")):
            assert composed(f"task={task}", f"merge={merge}").merge.schedule == schedule
    assert composed("task=asr", "merge.schedule=decay").merge.schedule == "decay"


@pytest.mark.parametrize("merge", ["fastv", "dart", "frame", "head_router", "affinity_pooling_deep"])
def test_methods_published_for_one_layer_prune_once_also_on_dense_tasks(merge: str) -> None:
    assert composed("task=asr", f"merge={merge}").merge.schedule == "once"
    assert composed("task=st", "merge=chain", f"merge@merge.decoder={merge}").merge.decoder.schedule == "once"
    assert composed("task=asr", f"merge={merge}", "merge.schedule=constant").merge.schedule == "constant"


def test_all_problems_of_all_nodes_are_listed_at_once() -> None:
    cfg = composed("merge.ratio=1.5", "hardware.batch_size=0", "+generation.beams=2", "merge.schedule=never")
    with pytest.raises(ConfigError) as caught:
        validate(cfg)
    message = str(caught.value)
    assert "merge.schedule=never" in message
    assert "hardware.batch_size must be at least 1, got 0" in message
    assert "generation.beams does not exist; did you mean num_beams?" in message


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("merge.ratio=1.5", ["merge.ratio", "[0, 1)", "1.5"]),
        ("merge.ratio=much", ["merge.ratio=much"]),
        ("merge.layer=-1", ["merge.layer", "-1"]),
        ("hardware.dtype=int8", ["hardware.dtype", "int8", "bfloat16"]),
        ("generation.num_beams=many", ["generation.num_beams=many"]),
        ("merge._target_=fastadasp.merge.nothing.Nothing", ["merge._target_", "fastadasp.merge.nothing"]),
    ],
)
def test_a_bad_value_is_named_with_its_key(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(composed("model=qwen2_audio_random", override))
    assert all(word in str(caught.value) for word in words)


def test_a_node_without_target_and_a_missing_setting_are_named() -> None:
    with pytest.raises(ConfigError, match="task has no `_target_`"):
        build(OmegaConf.create({"manifest": "x"}), "task")
    with pytest.raises(ConfigError, match=r"task\.manifest must be given"):
        build(OmegaConf.create({"_target_": "fastadasp.tasks.asr.ASR"}), "task")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task=asrr"], "task=asrr does not exist; did you mean asr? Allowed: asr, asr_long, er,"),
        (["merge.ratioo=0.3"], "merge.ratioo does not exist; did you mean ratio? Allowed: "),
        (["experiments=paper_tabl1_asr"], "did you mean paper_table1_asr?"),
    ],
)
def test_hydras_own_errors_are_worded_with_what_is_allowed(overrides: list[str], message: str) -> None:
    with pytest.raises(HydraException) as caught:
        composed(*overrides)
    assert message in explain(caught.value)


def test_every_logger_of_the_csv_option_is_built_by_lightning(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    node = composed("logger=csv").logger.csv
    node.save_dir = str(tmp_path)
    assert isinstance(instantiate(node), CSVLogger)
