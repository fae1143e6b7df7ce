"""What `metrics.json` says of a run: quality, reduction, exact cost, and where the answers come from."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fastadasp.data.manifest import MAX_REPORTED
from fastadasp.evaluation.cost import cache_reduction, exact_cost, layer_cost, reduction
from fastadasp.evaluation.session import Session
from fastadasp.reduction.method import Site
from fastadasp.tasks.base import Prediction

log = logging.getLogger(__name__)


def metrics(cfg: DictConfig, name: str, session: Session, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """The content of `metrics.json`: the same in every repetition, and however many processes there were.

    name: the fingerprint of the run.
    """
    setup = session.setup
    failures = {prediction.id: prediction.error for prediction in predictions if prediction.error is not None}
    choices = HydraConfig.get().runtime.choices
    settings = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    measured = cache_reduction if setup.method.site is Site.cache else reduction
    layer = -1 if setup.method.site is Site.input else setup.method.layer
    return {
        **{group: choices[group] for group in ("task", "model", "merge")},
        "fingerprint": name,
        "objective": setup.task.objective,
        "quality": setup.task.metrics(predictions),
        "scorer": {"task_version": setup.task.version, **setup.task.scorer()},
        "examples": len(predictions),
        "failed": len(failures),
        "failures": failures,
        "remarks": {prediction.id: list(prediction.remarks) for prediction in predictions if prediction.remarks},
        "truncated": sum(prediction.truncated for prediction in predictions),
        "reduction": {
            "ratio": setup.method.ratio,
            "layer": setup.method.layer,
            "layer_ratio": setup.method.layer_ratio,
            "flops_reduction": cfg.merge.flops_reduction,
            "tokens_kept": cfg.merge.tokens_kept,
            "measured": measured(predictions, layer),
        },
        "cost": exact_cost(predictions, setup.adapter.shape, session.placement.dtype),
        "layers": layer_cost(predictions, setup.adapter.shape, session.placement.dtype),
        **_origins(session, predictions),
        "config": {key: value for key, value in settings.items() if key not in ("logger", "output_dir")},
    }


def _origins(session: Session, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """`provenance`: of most answers; `origins`: of all, each with its number of `examples`.

    Provenance belongs to the answers: a finished run that is read again by other code or on another machine keeps its
    own, and a run that was resumed so has several.
    """
    origins = session.store.origins(predictions)
    if not origins:  # stored by a version that noted it in metrics.json alone
        known = (session.store.read("metrics.json") or {}).get("provenance", {})
        return {"provenance": known, "origins": [{**known, "examples": len(predictions)}]}
    first = {key: value for key, value in origins[0].items() if key != "examples"}
    return {"provenance": first, "origins": origins}


def remark_on(metrics: Mapping[str, Any], max_new_tokens: int) -> None:
    """Warn of what makes the scores say something else than they seem to; of audio, in a few lines at most."""
    texts = [text for found in metrics["remarks"].values() for text in found]
    for text in texts[:MAX_REPORTED]:
        log.warning("%s", text)
    if len(texts) > MAX_REPORTED:
        log.warning("... and %d more such remarks on audio: see metrics.json", len(texts) - MAX_REPORTED)
    if metrics["truncated"]:
        log.warning(
            "%d of %d answers were cut off at generation.max_new_tokens=%d, and are scored as they are; raise it if "
            "answers of this task may be longer",
            metrics["truncated"],
            metrics["examples"],
            max_new_tokens,
        )
    first, *others = metrics["origins"]
    differing = sorted({key for other in others for key in first if first[key] != other.get(key)} - {"examples"})
    if differing:
        counts = ", ".join(str(origin["examples"]) for origin in metrics["origins"])
        log.warning(
            "The answers of this run come from %d states of code or machine, which differ in %s (%s examples): see "
            "origins in metrics.json",
            len(metrics["origins"]),
            ", ".join(differing),
            counts,
        )
