"""Evaluate a model under a reduction method on a task: `fastadasp run task=sqa merge.ratio=0.3`."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from fastadasp.cli.launch import launch
from fastadasp.config.compose import from_where_given
from fastadasp.config.meaning import as_meant
from fastadasp.config.messages import readable_errors
from fastadasp.config.own_folders import take_folders
from fastadasp.config.paths import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def run(cfg: DictConfig) -> float:
    """Evaluate one configuration; the value is the task's objective, which Hydra's sweepers optimise."""
    from_where_given()
    cfg = as_meant(cfg)
    if cfg.benchmark is not None:
        return benchmark(cfg)
    from fastadasp.evaluation.setup import validate

    with _told_to_wandb(cfg):
        setup = validate(cfg)  # a wrong setting stops here, before seconds go into importing torch and lightning
        from fastadasp.evaluation.run import evaluate

        return evaluate(cfg, setup, _media)


def _told_to_wandb(cfg: DictConfig) -> AbstractContextManager[None]:
    """Lets W&B know of a run that fails, where a logger sends to it."""
    nodes = (cfg.logger or {}).values() if OmegaConf.is_dict(cfg.logger) or cfg.logger is None else ()
    if not any(OmegaConf.is_dict(node) and node.get("offline") is False for node in nodes):
        return nullcontext()
    from fastadasp.evaluation.loggers import marked

    return marked(cfg)


def _media(*given: Any) -> Mapping[str, Any]:
    """W&B's tables and images of a run; matplotlib and wandb are imported only for them."""
    from fastadasp.report.logged import media

    return media(*given)


def benchmark(cfg: DictConfig) -> float:
    """Time what an overlay such as experiments/long_audio.yaml asks for; there is no objective."""
    from fastadasp.benchmark.setup import validate_benchmark

    wanted, hardware = validate_benchmark(cfg)
    wanted.run(cfg, hardware)
    return 0.0


def main(arguments: Sequence[str]) -> None:
    """Run Hydra's command line over `arguments`: `key=value`, `group=option`, `-m` for several runs, `--help`."""
    with readable_errors():
        left = take_folders(arguments)
    launch(run, left)


if __name__ == "__main__":
    main(sys.argv[1:])
