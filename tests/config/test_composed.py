"""The tests' own quick way to a config gives what Hydra composes."""

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from fastadasp.config.compose import compose
from tests.helpers.configs import composed


def settings(cfg: DictConfig) -> dict[Any, Any]:
    """All that a config holds but Hydra's notes of how it was asked for."""
    held = OmegaConf.to_container(cfg)
    assert isinstance(held, dict)
    del held["hydra"]["overrides"], held["hydra"]["job"]
    return held


@pytest.mark.parametrize(
    "overrides",
    [
        ["merge=a_tome", "merge.layer=1"],
        ["merge.ratio=0.4", "merge=chain", "merge@merge.input=stride", "merge.input.ratio=0.1"],
        ["task=st", "model=tiny", "merge.schedule=decay", "seed=3", "+merge.extra=[1,2]", "task.limit=None"],
        ["hardware.trainer.devices=2", "merge.layer=2.0", "generation=beam", "merge=blend"],
    ],
    ids=" ".join,
)
def test_a_config_in_two_steps_is_the_config_in_one(overrides: list[str]) -> None:
    whole, found = compose(*overrides, hydra=True), composed(*overrides)
    assert repr(settings(found)) == repr(settings(whole))
    assert OmegaConf.is_struct(found) == OmegaConf.is_struct(whole)


def test_what_is_wrong_is_refused_in_hydras_words() -> None:
    with pytest.raises(Exception, match=r"Could not override 'merge\.ratioo'"):
        composed("merge.ratioo=1")


def test_a_config_may_be_changed_without_harm_to_the_next() -> None:
    composed("task=asr").merge.ratio = 0.9
    assert composed("task=asr").merge.ratio == compose("task=asr").merge.ratio
