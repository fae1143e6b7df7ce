"""Every method in conf/merge under every schedule saves, and keeps, what it is told to: measured, to one point."""

from functools import cache

import pytest
import torch

from fastadasp import MergeMethod, MergeTrace, merging
from fastadasp.errors import ConfigError
from fastadasp.reduction.method import Schedule, Site
from tests.helpers.configs import METHODS, composed_method
from tests.helpers.tiny_speech import AUDIO_TOKEN, LAYERS, speech_batch, speech_prompt, tiny_speech_model

pytestmark = pytest.mark.slow  # hundreds of configurations are composed

PROMPTS = [(4, 60, 3, 60, 2, 60, 6), (3, 60, 2, 57, 5), (2, 60, 9, 60, 1, 24, 4)]
"""Long enough for a token to be less than a point."""
FIRST = 1
"""`merge.layer`."""


def configured(name: str, schedule: Schedule, target: str) -> MergeMethod:
    """As `merge=name merge.schedule=... merge.<target>` gives it."""
    settings = [f"merge={name}", f"merge.layer={FIRST}", f"merge.schedule={schedule.name}"]
    if name == "chain":
        settings += ["merge@merge.input=stride", "merge.input.ratio=0.1", f"merge.decoder.{target}"]
    else:
        settings.append(f"merge.{target}")
    return composed_method(*settings)


model = cache(tiny_speech_model)


@torch.no_grad()
def read(method: MergeMethod) -> MergeTrace:
    """What happens to the prompts as one padded batch."""
    batch = speech_batch([speech_prompt(row, seed) for seed, row in enumerate(PROMPTS)])
    with merging(model(), method, batch["input_ids"] == AUDIO_TOKEN) as trace:
        model()(**batch, use_cache=True)
    return trace


def cost(tokens: list[int]) -> int:
    """Of the prefill, 4nd² + 2n²d + 2ndm for each layer, from the tokens that enter it."""
    d, m = 32, 48
    return sum(4 * n * d * d + 2 * n * n * d + 2 * n * d * m for n in tokens)


def cases(*sites: Site) -> list[tuple[str, Schedule]]:
    """Methods that reduce at one of `sites` first, with every schedule that makes a difference there."""
    found = []
    for name in METHODS:
        if name == "none":
            continue
        first = configured(name, Schedule.constant, "tokens_kept=0.5").stages()[0].site
        if first in sites:
            inside = name == "chain" or first is Site.decoder
            found += [(name, schedule) for schedule in (Schedule if inside else [Schedule.constant])]
    return found


@pytest.mark.parametrize(("name", "schedule"), cases(Site.input, Site.decoder))
def test_flops_saved_are_those_asked_for(name: str, schedule: Schedule) -> None:
    trace = read(configured(name, schedule, "flops_reduction=0.2"))
    for row, prompt in enumerate(PROMPTS):
        text = sum(prompt[0::2])
        entering = [int(trace.entering_audio_tokens[row]) + text, *trace.tokens[:-1, row].tolist()]
        assert 1 - cost(entering) / cost([sum(prompt)] * LAYERS) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("kept", [0.7, 100])
@pytest.mark.parametrize(("name", "schedule"), cases(*Site))
def test_tokens_kept_are_those_asked_for(name: str, schedule: Schedule, kept: float) -> None:
    method = configured(name, schedule, f"tokens_kept={kept}")
    trace = read(method)
    for row, prompt in enumerate(PROMPTS):
        audio, text = sum(prompt[1::2]), sum(prompt[0::2])
        site = (method.stage_with_target.stages() or (method,))[0].site
        left = {
            Site.input: trace.audio_tokens[:, row],
            Site.decoder: trace.audio_tokens[FIRST : LAYERS - 1, row],
            Site.cache: trace.cached_tokens[FIRST:, row] - text,
        }[site]
        there = int(trace.entering_audio_tokens[row]) if site is not Site.input else audio
        expected = kept * there if kept < 1 else kept
        assert float(left.float().mean()) == pytest.approx(expected, abs=0.01 * audio)


@pytest.mark.parametrize("name", [name for name, _ in cases(Site.cache)])
def test_what_shortens_caches_alone_refuses_to_save_flops(name: str) -> None:
    with pytest.raises(ConfigError, match=r"shortens the caches alone.*give merge\.ratio or merge\.tokens_kept"):
        read(configured(name, Schedule.constant, "flops_reduction=0.2"))
