"""Composed configurations, and the options of the groups."""

from copy import deepcopy
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.config.paths import CONF
from fastadasp.reduction.method import MergeMethod

SMALLEST_MODEL = (
    "model=qwen2_audio_random",
    "model.layers=4",
    "model.hidden=32",
    "model.intermediate=48",
    "model.encoder_layers=1",
)


def options(group: str) -> list[str]:
    """The options of a group, as its folder has them."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


METHODS = options("merge")


def composed(*overrides: str) -> DictConfig:
    """The config of `python run.py <overrides>`, Hydra's own node included."""
    return compose(*overrides, hydra=True)


@cache
def composed_method(*overrides: str) -> MergeMethod:
    """The method of `python run.py <overrides>`; methods are frozen, so that tests may share one."""
    built: MergeMethod = build(compose(*overrides).merge, "merge")
    return built


def with_value(cfg: DictConfig, key: str, value: Any) -> DictConfig:
    """`cfg` with one more override, faster than composing again; raises where the key does not exist."""
    if key == "merge":
        return composed(f"task={cfg.hydra.runtime.choices.task}", f"merge={value}")
    changed = deepcopy(cfg)
    OmegaConf.update(changed, key, value)
    return changed
