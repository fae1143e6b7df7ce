"""From what a user wants to save to the ratio that does it: `flops_reduction` and `tokens_kept`. Host arithmetic only.

A prompt is given by its numbers of audio tokens and of all other tokens.
"""

from collections.abc import Callable, Sequence

from fastadasp.errors import ConfigError, OutOfReachError
from fastadasp.reduction.method import MergeMethod, Schedule, Site
from fastadasp.reduction.schedule import Plan, bisect, layer_ratios, overall_ratio

Prompt = tuple[int, int]
Flops = Callable[[Sequence[float]], float]
"""Cost of reading a prompt, from the tokens that enter each layer and those that leave the last one (L + 1 counts)."""

_ALMOST_ALL = 1 - 1e-9
"""The largest share to remove: of any prompt it leaves a token."""


def solve_ratio(method: MergeMethod, prompts: Sequence[Prompt], layers: int, flops: Flops) -> MergeMethod:
    """`method` with the one ratio with which `prompts` together meet its `flops_reduction` or `tokens_kept`.

    Itself if it has a ratio already. layers: of the decoder. Raises ConfigError when the target cannot be met.
    """
    method = method.at_depth(layers)
    if not method.has_target:
        return method
    asked = method.stage_with_target
    if asked.flops_reduction is not None:
        ratio = _ratio_that_saves(method, asked.flops_reduction, prompts, layers, flops)
    else:
        ratio = _ratio_that_keeps(method, asked.tokens_kept or 0, prompts)
    try:
        return method.with_ratio(ratio)
    except ConfigError as error:
        raise OutOfReachError(f"{asked.amount} takes merge.ratio={ratio:.3f}, but {error}") from error


def _ratio_that_saves(
    method: MergeMethod, reduction: float, prompts: Sequence[Prompt], layers: int, flops: Flops
) -> float:
    """The overall ratio with which all prompts together cost `reduction` less, in whole tokens."""
    acting = _reducer(method.stage_with_target)
    full = sum(flops([audio + text] * (layers + 1)) for audio, text in prompts)

    def saved(ratio: float) -> float:
        counts = _counts(method, acting, ratio, layers)
        return 1 - sum(flops([count + text for count in counts(audio)]) for audio, text in prompts) / full

    if reduction < (least := saved(0.0)):
        raise ConfigError(
            f"merge.{acting.site.name}.flops_reduction={reduction} is less than the {least:.3f} that the chain's other "
            "stages save alone; lower their ratios or ask for more"
        )
    if reduction > (most := saved(_ALMOST_ALL)):
        where = "at the input" if acting.site is Site.input else f"{acting.schedule.name} from layer {acting.layer} on"
        audio, text = (sum(counts) / len(prompts) for counts in zip(*prompts, strict=True))
        raise OutOfReachError(
            f"merge.flops_reduction={reduction} is out of reach: {where} of {layers} layers, {type(method).__name__} "
            f"saves at most {most:.3f} of a prompt with {audio:g} audio and {text:g} other tokens; reduce at an "
            "earlier layer or ask for less"
        )
    if reduction == 0:
        return 0.0
    ratio = min(bisect(saved, reduction), _ALMOST_ALL)
    if acting.site is Site.input:
        return ratio
    return overall_ratio(layer_ratios(acting.schedule, ratio, acting.layer, layers), acting.layer)


def _reducer(method: MergeMethod) -> MergeMethod:
    """The one stage of `method` that shortens what the prefill reads."""
    for stage in method.stages():
        if stage.site is not Site.cache:
            return stage
    raise ConfigError(
        f"merge.flops_reduction={method.flops_reduction} cannot be met: {type(method).__name__} shortens the caches "
        "alone, which saves memory and decoding time but no FLOPs of the prefill; give merge.ratio or merge.tokens_kept"
    )


def _counts(method: MergeMethod, acting: MergeMethod, ratio: float, layers: int) -> Callable[[int], tuple[int, ...]]:
    """From a prompt's audio tokens to those entering each layer and leaving the last, the share `ratio` going at each
    of the layers of `acting`, a stage of `method`; the others do what they are set to."""
    stages = {stage.site: stage for stage in method.stages()}
    plan = Plan((0.0,) * layers, overall=False)
    if acting.site is Site.decoder:
        ratios = layer_ratios(acting.schedule, ratio, acting.layer, layers)
        plan = Plan(ratios, overall=acting.schedule is not Schedule.once)
    elif Site.decoder in stages:
        plan = Plan.of(stages[Site.decoder], layers)
    before = ratio if acting.site is Site.input else stages[Site.input].given_ratio if Site.input in stages else 0.0
    return lambda audio: plan.audio_tokens(audio - int(audio * before))


def _ratio_that_keeps(method: MergeMethod, kept: float, prompts: Sequence[Prompt]) -> float:
    """The ratio that leaves the share `kept` of the tokens that get there, or as many of each prompt."""
    if kept < 1:
        return round(1 - kept, 12)  # 1 - 0.9 is a little less than 0.1, and would then be rounded down to no token
    prompts = [prompt for prompt in prompts if prompt[0]]  # one without audio is left as it is
    acting = method.stage_with_target.stages()[0]
    for stage in method.stages():
        if stage.site is Site.input and acting.site is not Site.input:
            prompts = [(audio - int(audio * stage.given_ratio), text) for audio, text in prompts]
        elif stage.site is Site.decoder and acting.site is Site.cache and stage.given_ratio:
            raise ConfigError(
                f"merge.cache.tokens_kept={kept:g} is no one share of what merging leaves to each layer's cache; give "
                "a share below 1, or merge.cache.ratio"
            )
    removable = [acting.removable(audio, text) for audio, text in prompts]
    gone = sum(max(0, tokens - int(kept)) for tokens in removable)
    truncated = acting.site is not Site.decoder or acting.schedule is Schedule.once
    # Half a token more where what is to go is rounded down, so that no error of a float takes one away.
    return (gone + truncated * len(prompts) / 2) / sum(removable) if gone else 0.0
