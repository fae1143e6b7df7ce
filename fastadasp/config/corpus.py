"""The manifest of the corpus that `data=...` chooses."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from fastadasp.config.build import build
from fastadasp.errors import ConfigError

FOLDER = "data"
"""Below `output_dir`, where manifests of corpora are kept."""


def corpus_manifest(cfg: DictConfig) -> Path:
    """What `task.manifest` stands for under `data=...`: the corpus' manifest, written anew where anything has changed.

    Raises ConfigError for settings that the corpus does not take, and the corpus' own errors.
    """
    if OmegaConf.select(cfg, "data") is None:
        raise ConfigError("task.manifest is that of a corpus, but none is chosen; give data=..., or a manifest's path")
    manifest: Path = build(cfg.data, "data").manifest_in(Path(cfg.output_dir) / FOLDER)
    return manifest
