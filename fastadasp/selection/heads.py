"""Calibration of HeadRouter for one model: which heads matter for the answers to two kinds of questions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.merge.head_router import HeadRouter, Routing, spread
from fastadasp.reduction.method import Schedule

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.models.speechlm import SpeechLM
    from fastadasp.reduction.state import LayerState
    from fastadasp.tasks.base import Example

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Trial(HeadRouter):
    """HeadRouter with head weights of our choice, which remembers the spreads that it meets."""

    trial: tuple[float, ...] = ()
    spreads: list[float] = field(default_factory=list)

    def head_weights(self, state: "LayerState", probe_BHT: "Tensor") -> "Tensor":
        self.spreads.extend(spread(probe_BHT, state.layout.audio).tolist())
        return probe_BHT.new_tensor([self.trial])


def calibrate(adapter: "SpeechLM", method: HeadRouter, clips: Mapping[str, "Sequence[Example]"]) -> Routing:
    """The routing for `method.layer`, from examples of two kinds, `semantic` and `acoustic`.

    A head counts as much as the answers' negative log-likelihood rises, on average over a kind's clips, when the other
    heads choose the tokens without it; heads without which it falls do not count. `uniform` stands half way.
    Whatever `method.schedule`, tokens go at that layer alone. [recon] All of it: the paper publishes neither how
    profiles are calibrated nor what comes out.
    """
    method = replace(method, schedule=Schedule.once)
    heads = adapter.shape.heads
    uniform = [1 / heads] * heads
    weights, spreads = {"uniform": uniform}, {}
    for kind, examples in clips.items():
        rises = [0.0] * heads
        trial = _Trial(**{item.name: getattr(method, item.name) for item in fields(method)}, trial=tuple(uniform))
        for example in examples:
            inputs, answer = _prompt(adapter, example)
            whole = answer_loss(adapter, trial, inputs, answer)
            for head in range(heads):
                without = tuple(0.0 if other == head else weight for other, weight in enumerate(uniform))
                rises[head] += answer_loss(adapter, replace(trial, trial=without, spreads=[]), inputs, answer) - whole
            log.info("%s %s: %.3f nats with all heads", kind, example.id, whole)
        useful = [max(0.0, rise) for rise in rises]
        weights[kind] = [rise / sum(useful) for rise in useful] if any(useful) else uniform
        spreads[kind] = trial.spreads
    centroids = {kind: fmean(values) for kind, values in spreads.items()}
    centroids["uniform"] = fmean(centroids.values())
    width = pstdev([value for values in spreads.values() for value in values])
    return Routing(method.layer, centroids, weights, max(width, 1e-6))


def _prompt(adapter: "SpeechLM", example: "Example") -> "tuple[Any, Tensor]":
    """The encoded prompt of one example, and the ids (1, N) of the answer that it should get."""
    answer = adapter.processor.tokenizer(example.reference, add_special_tokens=False, return_tensors="pt").input_ids
    if not answer.numel():
        raise ConfigError(f"example {example.id} has no reference answer to calibrate with")
    return adapter.encode([adapter.prepare(example)]), answer.to(adapter.model.device)


def answer_loss(adapter: "SpeechLM", method: HeadRouter, inputs: Any, answer_1N: "Tensor") -> float:
    """Mean negative log-likelihood (nats) of the answer's tokens after the prompt as `method` reduces it."""
    import torch
    from transformers import DynamicCache

    from fastadasp.engine.merging import merging

    cache = DynamicCache(config=adapter.model.config)
    with torch.no_grad(), merging(adapter.model, method, adapter.audio_mask(inputs)):
        logits_1NV = adapter.model(**inputs, past_key_values=cache, use_cache=True).logits[:, -1:]
        if answer_1N.shape[1] > 1:
            rest = adapter.model(input_ids=answer_1N[:, :-1], past_key_values=cache, use_cache=True).logits
            logits_1NV = torch.cat([logits_1NV, rest], 1)
    return float(torch.nn.functional.cross_entropy(logits_1NV[0].float(), answer_1N[0]))
