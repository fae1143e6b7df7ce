"""What `metrics.json` says of a run: quality, reduction, exact cost, and where the answers come from."""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fastadasp.data.manifest import MAX_REPORTED
from fastadasp.evaluation.session import Session
from fastadasp.evaluation.took import spent_of
from fastadasp.evaluation.totals import Total, gather
from fastadasp.tasks.base import Prediction
from fastadasp.tasks.counted import Counting, intervals
from fastadasp.tasks.spread import Spread

log = logging.getLogger(__name__)

RESAMPLES = 2000
"""Of the intervals in `metrics.json`."""


class Noted(Total):
    """What is said of single predictions: which failed, which are remarked, and where they come from."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self.remarks: dict[str, list[str]] = {}
        self.truncated = 0
        self.origins: Counter[str] = Counter()

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Take further predictions into account."""
        for prediction in predictions:
            if prediction.error is not None:
                self.failures[prediction.id] = prediction.error
            if prediction.remarks:
                self.remarks[prediction.id] = list(prediction.remarks)
            self.truncated += prediction.truncated
            if prediction.origin:
                self.origins[prediction.origin] += 1


def results(
    cfg: DictConfig, name: str, session: Session, predictions: Sequence[Prediction]
) -> tuple[dict[str, Any], dict[str, float]]:
    """The contents of `metrics.json` and of `cost.json`.

    The first is the same in every repetition, and however many processes there were. name: the fingerprint of the run.
    """
    setup = session.setup
    noted, spent = Noted(), spent_of(session)
    gather(predictions, noted, *spent.totals)
    began = time.perf_counter()
    counting, spread = Counting(setup.task), Spread(setup.task)
    quality = setup.task.metrics(predictions, counting.add, spread.add)
    bounds = {name: asdict(found) for name, found in intervals(setup.task, counting.done(), RESAMPLES).items()}
    scoring_s = time.perf_counter() - began
    cost = spent.measured(scoring_s)
    choices = HydraConfig.get().runtime.choices
    settings = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    return {
        **{group: choices[group] for group in ("task", "model", "merge")},
        "fingerprint": name,
        "objective": setup.task.objective,
        "quality": quality,
        "intervals": {"resamples": RESAMPLES, **bounds},
        **({} if (prompts := spread.found()) is None else {"prompts": prompts}),
        "scorer": {"task_version": setup.task.version, **setup.task.scorer()},
        "examples": len(predictions),
        "failed": len(noted.failures),
        "failures": noted.failures,
        "remarks": noted.remarks,
        "truncated": noted.truncated,
        "reduction": {
            "ratio": setup.method.ratio,
            "layer": setup.method.layer,
            "layer_ratio": setup.method.layer_ratio,
            "flops_reduction": cfg.merge.flops_reduction,
            "tokens_kept": cfg.merge.tokens_kept,
            "measured": spent.removed,
        },
        "cost": spent.exact,
        "layers": spent.layers,
        **_origins(session, noted.origins, len(predictions)),
        "config": {key: value for key, value in settings.items() if key not in ("logger", "logged", "output_dir")},
    }, cost


def _origins(session: Session, counted: "Counter[str]", examples: int) -> dict[str, Any]:
    """`provenance`: of most answers; `origins`: of all, each with its number of `examples`.

    Provenance belongs to the answers: a finished run that is read again by other code or on another machine keeps its
    own, and a run that was resumed so has several.
    """
    origins = session.store.origins(counted)
    if not origins:  # stored by a version that noted it in metrics.json alone
        known = (session.store.read("metrics.json") or {}).get("provenance", {})
        return {"provenance": known, "origins": [{**known, "examples": examples}]}
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
