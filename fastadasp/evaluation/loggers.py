"""The loggers of a run: what they need is asked for before the first answer, and results reach them after the last."""

import os
from collections.abc import Mapping
from typing import Any, cast

from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from fastadasp.errors import ConfigError, InputError

WANDB = "WandbLogger"
OFFLINE = ("offline", "disabled", "dryrun")
"""Values of WANDB_MODE with which W&B sends nothing."""


class LoggerError(InputError):
    """A logger did not take the results, which are stored all the same."""


def check_loggers(cfg: DictConfig) -> None:
    """Raise ConfigError for a logger that could not log: it is no logger, or W&B has no key to send results with.

    On a terminal W&B asks for the key.
    """
    from lightning.pytorch.loggers import Logger

    for name, node in (cfg.logger or {}).items():
        target = OmegaConf.select(node, "_target_") if OmegaConf.is_dict(node) else None
        try:
            kind = get_class(str(target))
        except (ImportError, ValueError) as error:
            raise ConfigError(f"logger.{name}._target_={target} is no class: {_first_line(error)}") from error
        if not issubclass(kind, Logger):
            raise ConfigError(f"every entry of logger must be a lightning Logger, got {kind.__name__} ({name})")
        offline = node.get("offline", False) or os.environ.get("WANDB_MODE", "").lower() in OFFLINE
        if kind.__name__ == WANDB and not offline:
            _log_in(str(name))


def send(cfg: DictConfig, numbers: Mapping[str, float]) -> None:
    """Hand the results to every logger of the `logger` group. Raises LoggerError where one does not take them."""
    for name, node in (cfg.logger or {}).items():
        try:
            logger = instantiate(node)
            logger.log_hyperparams(settings_of(cfg))
            logger.log_metrics(dict(numbers))
            logger.finalize("success")
            if type(logger).__name__ == WANDB:
                logger.experiment.finish()  # else W&B puts the next run of a multirun into this one
        except Exception as error:  # whatever a service or its client raises
            raise LoggerError(
                f"logger.{name} did not take the results ({_first_line(error)}), which are stored; the same command "
                "tries again"
            ) from error


def settings_of(cfg: DictConfig) -> dict[str, Any]:
    """The config as plain nested values without interpolations, by which services can filter and plot."""
    return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))


def _log_in(name: str) -> None:
    """Find W&B's key where it may be kept, or ask for it on a terminal; nothing is sent yet."""
    import wandb

    try:
        known = wandb.login(verify=False)
    except wandb.errors.UsageError:
        known = False
    if not known:
        raise ConfigError(
            f"logger.{name}.offline=false sends results to W&B, but there is no key: run `wandb login`, set "
            f"WANDB_API_KEY, or keep results here (logger.{name}.offline=true)"
        )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]
