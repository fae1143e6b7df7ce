"""Composing the configuration of a run as Hydra does for `python run.py`, and the resolvers that its YAML files use."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from fastadasp.config.chosen_layer import selection_name
from fastadasp.config.corpus import corpus_manifest
from fastadasp.config.fingerprint import fingerprint, run_folder
from fastadasp.config.meaning import NONE, as_meant
from fastadasp.config.paths import CONF, REPOSITORY, search_path

OmegaConf.register_new_resolver("repository", lambda: str(REPOSITORY), replace=True)
OmegaConf.register_new_resolver("search_path", lambda: [f"file://{folder}" for folder in search_path()], replace=True)
OmegaConf.register_new_resolver("corpus", lambda *, _root_: str(corpus_manifest(_root_)), replace=True)
OmegaConf.register_new_resolver("run_folder", lambda *, _root_: run_folder(_root_), replace=True)
OmegaConf.register_new_resolver("selection_name", lambda *, _root_: selection_name(_root_), replace=True)
OmegaConf.register_new_resolver("fingerprint", lambda *, _root_: fingerprint(_root_), replace=True)


def compose(*overrides: str, hydra: bool = False) -> DictConfig:
    """The config of `python run.py <overrides>`: `compose("task=sqa", "merge.ratio=0.3")`.

    overrides: as on the command line, `group=option` or `key=value`.
    hydra: keep Hydra's own node, which names the run's folder and the chosen options.
    Raises Hydra's errors for groups, options and keys that do not exist.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return as_meant(hydra_compose("config", overrides=list(map(lenient, overrides)), return_hydra_config=hydra))


def compose_run(overrides: Sequence[str]) -> tuple[DictConfig, Path]:
    """The config of a run and its folder, with Hydra's own node put where `evaluate` finds it."""
    cfg = compose(*overrides, hydra=True)
    folder = Path(cfg.hydra.run.dir)
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = str(folder)
        HydraConfig.instance().set_config(cfg)
        del cfg["hydra"]
    return cfg, folder


def lenient(argument: str) -> str:
    """An argument of the command line as Hydra wants it.

    `hardware.trainer.KEY=...` may lack the sign + before it: profiles list only the keys that they set, and `Hardware`
    says which there are. So may `model.extra_body.KEY=...`, whose keys the model's server knows. `KEY=None`, as an
    agent of W&B writes it, is `KEY=null`, also where KEY is a group.
    """
    key, sign, value = argument.partition("=")
    key = re.sub(r"^\+{0,2}(?=hardware\.trainer\.|model\.extra_body\.)", "++", key)
    return f"{key}{sign}{'null' if value.strip() == NONE else value}"


def from_where_given() -> None:
    """Let relative paths count from where the command was given, also with hydra.job.chdir=true."""
    os.chdir(HydraConfig.get().runtime.cwd)


def keep_config(cfg: DictConfig, folder: Path) -> None:
    """Write the settings of a run to its folder `.hydra/`, as Hydra does where it opens a run's folder by itself."""
    place = folder / ".hydra"
    place.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(cfg, place / "config.yaml")
    OmegaConf.save({"hydra": HydraConfig.get()}, place / "hydra.yaml")
    OmegaConf.save(HydraConfig.get().overrides.task, place / "overrides.yaml")
