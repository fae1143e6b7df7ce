"""Calibrates HeadRouter for one model: which heads its answers to two kinds of questions hang on.

    python -m fastadasp.head_router --semantic "task=asr task.manifest=dev.jsonl" \
        --acoustic "task=er task.manifest=emotions.jsonl" --output routing.json model=qwen2_audio_7b merge.ratio=0.7

Then `merge=head_router merge.routing=routing.json`. Calibrate on clips that no result is reported on.
"""

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any, cast

from hydra import compose, initialize_config_dir

from fastadasp.config import Setup, readable_errors, validate
from fastadasp.errors import ConfigError
from fastadasp.fingerprint import REPOSITORY
from fastadasp.merge.base import Schedule
from fastadasp.merge.head_router import HeadRouter, Routing, spread

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.merge.state import LayerState
    from fastadasp.models.speechlm import SpeechLM
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


def main(arguments: Sequence[str] | None = None) -> None:
    """The command above."""
    parser = argparse.ArgumentParser(prog="python -m fastadasp.head_router", description=(__doc__ or "").split("\n")[0])
    for kind, example in (("semantic", "task=asr"), ("acoustic", "task=er")):
        parser.add_argument(f"--{kind}", required=True, help=f"settings of a task that needs it, such as '{example}'")
    parser.add_argument("--clips", type=int, default=10, help="how many of each task's examples to use")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("settings", nargs="*", help="settings of run.py: model, hardware, merge.layer, merge.ratio")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    setups = {kind: _setup([*options.settings, *getattr(options, kind).split()]) for kind in ("semantic", "acoustic")}
    from fastadasp.evaluation.hardware import resolve

    setup = setups["semantic"]
    placement = resolve(setup.hardware)
    adapter = cast("SpeechLM", setup.adapter)
    adapter.load(device=placement.accelerator, dtype=placement.dtype, attention=placement.attention)
    clips = {kind: setups[kind].examples[: options.clips] for kind in setups}
    routing = calibrate(adapter, cast(HeadRouter, setup.method), clips)
    options.output.write_text(json.dumps(asdict(routing), indent=1) + "\n", encoding="utf-8")
    log.info("wrote %s", options.output)


def _setup(settings: Sequence[str]) -> Setup:
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        setup = validate(compose("config", overrides=["merge=head_router", *settings]))
    if not setup.method.share:
        raise ConfigError("merge.ratio must be above 0: calibration asks which heads a reduced prompt hangs on")
    return setup


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
                without = tuple(0.0 if other == head else share for other, share in enumerate(uniform))
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

    from fastadasp.hooks import merging

    cache = DynamicCache(config=adapter.model.config)
    with torch.no_grad(), merging(adapter.model, method, adapter.audio_mask(inputs)):
        logits_1NV = adapter.model(**inputs, past_key_values=cache, use_cache=True).logits[:, -1:]
        if answer_1N.shape[1] > 1:
            rest = adapter.model(input_ids=answer_1N[:, :-1], past_key_values=cache, use_cache=True).logits
            logits_1NV = torch.cat([logits_1NV, rest], 1)
    return float(torch.nn.functional.cross_entropy(logits_1NV[0].float(), answer_1N[0]))


if __name__ == "__main__":
    with readable_errors():
        main()
