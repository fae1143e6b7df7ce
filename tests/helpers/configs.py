"""Composed configurations, and the options of the groups."""

import re
from copy import deepcopy
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fastadasp.config.build import build
from fastadasp.config.compose import compose, lenient
from fastadasp.config.meaning import as_meant
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
    """The config of `python run.py <overrides>`, Hydra's own node included.

    Hydra composes the chosen options once, and values of single keys are put into a copy, as it does itself at the end:
    that is ten times as fast. What Hydra notes of the overrides (`hydra.overrides`) lacks these values.
    """
    values = [override for override in overrides if _VALUE.match(override)]
    cfg = _of_options(*(override for override in overrides if override not in values)).copy()
    for override in OverridesParser.create().parse_overrides(list(map(lenient, values))):
        if override.is_sweep_override():
            return compose(*overrides, hydra=True)
        try:
            OmegaConf.update(cfg, override.key_or_group, override.value())
        except OmegaConfBaseException:  # to be told in Hydra's words
            return compose(*overrides, hydra=True)
    return as_meant(cfg)


_VALUE = re.compile(r"(?!hydra\.)\w+(\.\w+)+=")
"""An override of a single key: options have no dot in their group's name."""


@cache
def _of_options(*overrides: str) -> DictConfig:
    return compose(*overrides, hydra=True)


@cache
def composed_method(*overrides: str) -> MergeMethod:
    """The method of `python run.py <overrides>`; methods are frozen, so that tests may share one."""
    built: MergeMethod = build(composed(*overrides).merge, "merge")
    return built


def with_value(cfg: DictConfig, key: str, value: Any) -> DictConfig:
    """`cfg` with one more override, faster than composing again; raises where the key does not exist."""
    if key == "merge":
        return composed(f"task={cfg.hydra.runtime.choices.task}", f"merge={value}")
    changed = deepcopy(cfg)
    OmegaConf.update(changed, key, value)
    return changed
