"""`python -m fastadasp.selection task=er merge.flops_reduction=0.3 selection.manifest=clips.jsonl`: where to reduce.

Groups and keys are those of run.py, which then takes `merge.layer=auto` with the same settings.
"""

import sys

import hydra
from omegaconf import DictConfig

from fastadasp.config import readable_errors
from fastadasp.fingerprint import REPOSITORY


@hydra.main(version_base="1.3", config_path=str(REPOSITORY / "conf"), config_name="config")
def main(cfg: DictConfig) -> float:
    """Choose a layer for one configuration; the value is the layer."""
    from fastadasp.selection.select import select

    return select(cfg)


# Hydra would open the folder of a run.
FOLDERS = ("hydra.run.dir=${selection_folder:}", "hydra.sweep.dir=.", "hydra.sweep.subdir=${selection_folder:}")

if __name__ == "__main__":
    sys.argv += FOLDERS
    with readable_errors():
        main()
