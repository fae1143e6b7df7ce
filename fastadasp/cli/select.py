"""Choose the layer for `merge.layer=auto`: `fastadasp select task=er selection.manifest=FILE`.

Groups and keys are those of `fastadasp run`, which then takes `merge.layer=auto` with the same settings.
"""

from collections.abc import Sequence

import hydra
from omegaconf import DictConfig

from fastadasp.cli.launch import launch
from fastadasp.config.compose import from_where_given
from fastadasp.config.meaning import as_meant
from fastadasp.config.paths import CONF

FOLDERS = (
    "hydra.run.dir=${output_dir}/selection/${selection_name:}",
    "hydra.sweep.dir=${output_dir}/selection",
    "hydra.sweep.subdir=${selection_name:}",
)
"""Hydra would otherwise open the folder of a run."""


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def choose(cfg: DictConfig) -> float:
    """Choose a layer for one configuration; the value is the layer."""
    from fastadasp.selection.select import select

    from_where_given()
    return select(as_meant(cfg))


def main(arguments: Sequence[str]) -> None:
    """Run Hydra's command line over `arguments`."""
    launch(choose, [*arguments, *FOLDERS])
