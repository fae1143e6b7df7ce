"""One evaluation, from a checked setup to `metrics.json`."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from lightning import Trainer, seed_everything
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from fastadasp.config.fingerprint import fingerprint
from fastadasp.data.manifest import MAX_REPORTED
from fastadasp.errors import ConfigError
from fastadasp.evaluation.batches import Batch, finished, plan
from fastadasp.evaluation.cost import cache_reduction, exact_cost, layer_cost, measured_cost, reduction
from fastadasp.evaluation.hardware import Placement, resolve
from fastadasp.evaluation.module import EvalModule
from fastadasp.evaluation.ratio import settled
from fastadasp.evaluation.roofline import shares_of_limit
from fastadasp.evaluation.setup import Setup
from fastadasp.evaluation.store import RunStore
from fastadasp.evaluation.summary import show
from fastadasp.measuring.provenance import provenance
from fastadasp.reduction.method import Site
from fastadasp.reduction.stages import Stages
from fastadasp.tasks.base import Prediction


def evaluate(cfg: DictConfig, setup: Setup) -> float:
    """Answer what the run's folder does not yet hold, score all of it, and return the task's objective.

    The folder then holds `metrics.json` (the same in every repetition: quality, reduction, exact cost, config,
    provenance), `cost.json` (what was measured: time, memory) and `predictions.jsonl`.
    """
    _quiet_lightning()
    placement = resolve(setup.hardware)
    if setup.hardware.threads is not None:
        torch.set_num_threads(setup.hardware.threads)
    examples = setup.examples
    # Raises ConfigError where the model has no layer `merge.layer`.
    setup = replace(setup, method=Stages.of(setup.method, setup.adapter.shape.layers).method)
    setup.adapter.check(examples)
    seed_everything(cfg.seed, verbose=False)
    store = RunStore(Path(HydraConfig.get().runtime.output_dir))
    leader = getattr(rank_zero_only, "rank", 0) == 0  # under Slurm every process comes here
    with store.locked() if leader else nullcontext():
        setup = settled(setup, examples, store, keep=leader)
        batches = plan(examples, setup.hardware.batch_size, done=finished(store.predictions()))
        if batches:
            _answer(cfg, setup, placement, batches, store)
        if not leader:
            return 0.0
        predictions = store.consolidate([example.id for example in examples])
        metrics = _metrics(cfg, setup, placement, predictions)
        cost = measured_cost(predictions) | shares_of_limit(
            predictions, setup.adapter.shape, placement.dtype, setup.hardware, setup.generation.num_beams
        )
        store.write("metrics.json", metrics)
        store.write("cost.json", cost)
    _report_remarks(metrics["remarks"])
    _log(cfg, {**metrics["quality"], "removed": metrics["reduction"]["measured"], **metrics["cost"], **cost})
    show(metrics, cost, str(store.folder))
    return float(metrics["quality"][setup.task.objective])


def _report_remarks(remarks: Mapping[str, Sequence[str]]) -> None:
    """Log what was noticed about audio, at most a few lines of it."""
    texts = [text for found in remarks.values() for text in found]
    for text in texts[:MAX_REPORTED]:
        logging.getLogger(__name__).warning("%s", text)
    if len(texts) > MAX_REPORTED:
        more = len(texts) - MAX_REPORTED
        logging.getLogger(__name__).warning("... and %d more such remarks on audio: see metrics.json", more)


def _answer(cfg: DictConfig, setup: Setup, placement: Placement, batches: Sequence[Batch], store: RunStore) -> None:
    try:
        trainer = Trainer(
            accelerator="gpu" if placement.accelerator == "cuda" else placement.accelerator,
            **{"devices": 1, **setup.hardware.trainer},
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            use_distributed_sampler=False,  # the module deals batches out itself, none twice
            default_root_dir=store.folder,
        )
    except TypeError as error:
        raise ConfigError(f"hardware.trainer holds what lightning's Trainer does not take: {error}") from error
    trainer.test(EvalModule(setup, placement, batches, store, cfg.seed), verbose=False)
    if trainer.received_sigterm:  # during the last batch lightning takes no notice, and a grid would go on
        raise SIGTERMException


def _metrics(cfg: DictConfig, setup: Setup, placement: Placement, predictions: Sequence[Prediction]) -> dict[str, Any]:
    failures = {prediction.id: prediction.error for prediction in predictions if prediction.error is not None}
    choices = HydraConfig.get().runtime.choices
    settings = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    measured = cache_reduction if setup.method.site is Site.cache else reduction
    layer = -1 if setup.method.site is Site.input else setup.method.layer
    return {
        **{group: choices[group] for group in ("task", "model", "merge")},
        "fingerprint": fingerprint(cfg),
        "objective": setup.task.objective,
        "quality": setup.task.metrics(predictions),
        "scorer": {"task_version": setup.task.version, **setup.task.scorer()},
        "examples": len(predictions),
        "failed": len(failures),
        "failures": failures,
        "remarks": {prediction.id: list(prediction.remarks) for prediction in predictions if prediction.remarks},
        "reduction": {
            "ratio": setup.method.ratio,
            "layer": setup.method.layer,
            "layer_ratio": setup.method.layer_ratio,
            "flops_reduction": cfg.merge.flops_reduction,
            "tokens_kept": cfg.merge.tokens_kept,
            "measured": measured(predictions, layer),
        },
        "cost": exact_cost(predictions, setup.adapter.shape, placement.dtype),
        "layers": layer_cost(predictions, setup.adapter.shape, placement.dtype),
        "provenance": provenance(placement),
        "config": {key: value for key, value in settings.items() if key not in ("logger", "output_dir")},
    }


def _log(cfg: DictConfig, numbers: Mapping[str, float]) -> None:
    """Hand the results to every logger of the `logger` group."""
    for logger in map(instantiate, cfg.logger.values()):
        if not isinstance(logger, Logger):
            raise ConfigError(f"every entry of logger must be a lightning Logger, got {type(logger).__name__}")
        logger.log_hyperparams({str(key): value for key, value in cfg.items()})
        logger.log_metrics(dict(numbers))
        logger.finalize("success")
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()  # else W&B puts the next run of a multirun into this one


def _quiet_lightning() -> None:
    """Keep lightning's remarks on hardware and data loaders off the terminal; its warnings about real trouble stay."""
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in ("does not have many workers", "Experiment logs directory", "LeafSpec"):
        warnings.filterwarnings("ignore", f".*{message}.*")
