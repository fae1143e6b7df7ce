"""The loggers of a run: what they need is asked for before the first answer, and results reach them after the last."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from fastadasp.errors import ConfigError, InputError
from fastadasp.process.signals import Stopped, leads

log = logging.getLogger(__name__)

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
        if _sends(node):
            _log_in(str(name))


def begin(cfg: DictConfig) -> None:
    """Start the run in W&B where results are sent there: it is seen from its beginning, and marked if it fails.

    Raises LoggerError where W&B cannot be reached.
    """
    for name, node in (cfg.logger or {}).items():
        if _sends(node) and str(name) not in _begun:
            try:
                _begun[str(name)] = logger = instantiate(node)
                logger.log_hyperparams(settings_of(cfg))
            except Exception as error:  # whatever a service or its client raises
                _begun.pop(str(name), None)
                raise LoggerError(
                    f"logger.{name} cannot send to W&B ({_first_line(error)}); try again, or keep results here with "
                    f"logger.{name}.offline=true"
                ) from error


_begun: dict[str, Any] = {}
"""Loggers of W&B whose run has begun and has not ended, by their names in the `logger` group."""


@contextmanager
def marked(cfg: DictConfig) -> Iterator[None]:
    """Let W&B know how a run inside the block ends that does not end well.

    It is marked failed with its exit status, and one that a signal ends is marked preempted: W&B then gives the point
    of a sweep to an agent again.
    """
    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, Stopped | KeyboardInterrupt)
        if stopped or leads():
            _mark(cfg, error, stopped)
        raise


def _mark(cfg: DictConfig, error: BaseException, preempted: bool) -> None:
    try:
        if not preempted:
            begin(cfg)
        for name in list(_begun):
            run = _begun.pop(name).experiment
            if preempted:
                run.mark_preempting()
            run.summary["problem"] = "stopped by a signal" if preempted else _first_line(error)
            run.finish(exit_code=error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1)
    except Exception as problem:  # whatever a service or its client raises: the error of the run is the one to tell
        log.warning("W&B was not told that the run ended: %s", _first_line(problem))


def send(
    cfg: DictConfig, numbers: Mapping[str, float], told: Mapping[str, str], media: Callable[[], Mapping[str, Any]]
) -> None:
    """Hand the results to every logger of the `logger` group. Raises LoggerError where one does not take them.

    told: texts by which runs are told apart, such as the method. media: makes W&B's tables and images.
    """
    for name, node in (cfg.logger or {}).items():
        try:
            logger = _begun.pop(str(name), None) or instantiate(node)
            logger.log_hyperparams(settings_of(cfg))
            if type(logger).__name__ == WANDB:
                logger.experiment.log({**numbers, **media()})
                logger.experiment.summary.update({**numbers, **told})
                logger.experiment.finish()  # else W&B puts the next run of a multirun into this one
            else:
                logger.log_metrics(dict(numbers))
                logger.finalize("success")
        except Exception as error:  # whatever a service or its client raises
            raise LoggerError(
                f"logger.{name} did not take the results ({_first_line(error)}), which are stored; the same command "
                "tries again"
            ) from error


def _sends(node: Any) -> bool:
    """Whether a logger is W&B's and sends what it gets."""
    offline = node.get("offline", False) or os.environ.get("WANDB_MODE", "").lower() in OFFLINE
    return str(node.get("_target_")).endswith(f".{WANDB}") and not offline


def settings_of(cfg: DictConfig) -> dict[str, Any]:
    """The config as plain nested values without interpolations, by which services can filter and plot.

    `chosen` names the options: `merge` itself holds the settings of the method.
    """
    settings = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    if not HydraConfig.initialized():  # composed in Python: there are no names of options
        return settings
    choices = HydraConfig.get().runtime.choices
    return {**settings, "chosen": {group: choices[group] for group in ("task", "model", "merge", "hardware")}}


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
