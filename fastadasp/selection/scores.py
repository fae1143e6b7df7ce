"""Every layer's value, over batches of calibration clips."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fastadasp.engine.merging import merging
from fastadasp.errors import ConfigError
from fastadasp.merge.chain import Chain
from fastadasp.models.base import ModelAdapter
from fastadasp.ops.assignment import Assignment
from fastadasp.reduction.flops import DecoderShape, paper_prompt_flops
from fastadasp.reduction.method import MergeMethod, Schedule, Site
from fastadasp.reduction.stages import Stages
from fastadasp.reduction.state import LayerState
from fastadasp.reduction.target import Prompt, solve_ratio
from fastadasp.selection.entropy import Features, divergence, evenness
from fastadasp.selection.replay import Recording
from fastadasp.selection.settings import Criterion, LayerScore


@dataclass(frozen=True)
class AttentionSpread(MergeMethod):
    """Removes nothing, and notes at every layer how evenly attention is spread over each row's audio tokens."""

    layer: int = 0
    schedule: Schedule = Schedule.constant
    noted: dict[int, Tensor] = field(default_factory=dict)
    """(B,) by layer."""

    @property
    def adaptive(self) -> bool:
        """It is to be asked although nothing is to go."""
        return True

    def assign(self, state: LayerState) -> Assignment:
        """Each token in its own slot."""
        self.noted[state.layer] = evenness(state.attention_received_BT, state.audio_BT)
        return state.keep_only(state.audio_BT)


@dataclass
class _Sums:
    """What is summed up for one layer."""

    method: MergeMethod
    features: Features = field(default_factory=Features)
    value: float = 0.0
    flops: float = 0.0


def candidates(
    method: MergeMethod, layers: Sequence[int] | None, prompts: Sequence[Prompt], shape: DecoderShape
) -> dict[int, MergeMethod]:
    """By layer, `method` reducing from there on with the ratio that it asks for; not the layers where that cannot be.

    Of a composition, the stage inside the decoder is moved; shortening caches changes nothing that is looked at here.
    Raises ConfigError if there is no such layer or the method does not act inside the decoder.
    """
    sites = [stage.site for stage in method.stages()]
    if Site.decoder not in sites:
        raise ConfigError(
            f"a layer can be chosen for methods inside the decoder alone, not for {type(method).__name__}"
        )
    if Site.input in sites:
        raise ConfigError(
            "a layer is chosen on full prompts, so not behind a method that shortens the input; choose it without "
            "merge.input, and give the number here as merge.layer"
        )
    if not acting(method).given_ratio and not method.has_target:
        where = "merge.decoder" if isinstance(method, Chain) else "merge"
        raise ConfigError(
            f"a layer can be chosen for a certain reduction only: give {where}.ratio or {where}.flops_reduction"
        )
    if wrong := [layer for layer in layers or () if layer >= shape.layers]:
        raise ConfigError(f"selection.layers={wrong} do not exist: the model has {shape.layers} layers")
    found: dict[int, MergeMethod] = {}
    problem: ConfigError | None = None
    for layer in range(shape.layers) if layers is None else sorted(layers):
        try:
            settled = solve_ratio(method.at_layer(layer), prompts, shape.layers, lambda t: _flops(t, shape))
            found[layer] = Stages.of(settled, shape.layers).method
        except ConfigError as error:
            problem = problem or error
    if not found:
        raise problem or ConfigError("selection.layers names no layer")
    return found


def acting(method: MergeMethod) -> MergeMethod:
    """The part of `method` that acts inside the decoder."""
    return next(stage for stage in method.stages() if stage.site is Site.decoder)


@torch.inference_mode()
def score(
    adapter: ModelAdapter,
    methods: Mapping[int, MergeMethod],
    batches: Iterable[Sequence[Any]],
    criterion: Criterion,
) -> list[LayerScore]:
    """The value of each layer in `methods`, over `batches` of prepared clips.

    The audio encoder and all layers run once with full tokens; then, for each candidate, the layers from it on.
    """
    sums = {layer: _Sums(method) for layer, method in methods.items()}
    full, clips, full_flops = Features(), 0, 0.0
    for prepared in batches:
        inputs = adapter.encode(prepared)
        recording = Recording.of(adapter.model, inputs, adapter.audio_mask(inputs))
        full.add(recording.final_BTD[recording.audio_BT])
        clips += len(prepared)
        tokens_B = inputs["attention_mask"].sum(1)
        full_flops += _sum_flops(tokens_B.expand(adapter.shape.layers + 1, -1), adapter.shape)
        if criterion is Criterion.attention_entropy:
            spread = AttentionSpread()
            with merging(recording.decoder, spread, recording.audio_BT):
                recording.decoder(**recording.call)
            for layer, one in sums.items():
                one.value += float(spread.noted[layer].sum())
        for one in sums.values():
            final_BSD, audio_BS, trace = recording.reduced(one.method)
            tokens = torch.cat([tokens_B[None].cpu(), trace.tokens])
            one.flops += _sum_flops(tokens, adapter.shape)
            if criterion is Criterion.transfer_entropy:
                one.features.add(final_BSD[audio_BS])
            elif criterion is Criterion.output_kl:
                logits = [adapter.model.get_output_embeddings()(x[:, -1]) for x in (recording.final_BTD, final_BSD)]
                one.value += float(divergence(*logits).sum())
    return [
        LayerScore(
            layer,
            acting(one.method).given_ratio,
            1 - one.flops / full_flops,
            abs(full.entropy - one.features.entropy) if criterion is Criterion.transfer_entropy else one.value / clips,
        )
        for layer, one in sums.items()
    ]


def _sum_flops(tokens_LB: Tensor, shape: DecoderShape) -> float:
    """Of all rows, from the tokens entering each layer and leaving the last."""
    return sum(_flops(tokens, shape) for tokens in tokens_LB.T.tolist())


def _flops(tokens: Sequence[float], shape: DecoderShape) -> float:
    return paper_prompt_flops(tokens, shape)
