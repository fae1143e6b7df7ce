"""The ratio that meets `merge.flops_reduction` over all prompts of a run."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastadasp.errors import ConfigError
from fastadasp.evaluation.batches import PreparedBatches, planned
from fastadasp.evaluation.reading import ReadAhead
from fastadasp.evaluation.setup import Setup
from fastadasp.evaluation.store import RunStore
from fastadasp.files.text import FileError
from fastadasp.models.base import ModelAdapter
from fastadasp.reduction.flops import paper_prompt_flops
from fastadasp.reduction.method import MergeMethod
from fastadasp.reduction.target import Prompt, solve_ratio
from fastadasp.tasks.base import Example

FILE = "ratio.json"
log = logging.getLogger(__name__)


def settled(setup: Setup, examples: Sequence[Example], store: RunStore, keep: bool = True) -> Setup:
    """`setup` with one ratio for all prompts, as in the papers' tables: their summed FLOPs fall by what was asked for.

    All audio is read once to count tokens; with `keep` the ratio is kept in the run's folder, since it can change only
    with what the folder's name depends on. `tokens_kept` is left to `merging()`: it speaks of each prompt by itself.
    Raises ConfigError when the target cannot be met, in any prompt.
    """
    known = _known(store, setup.method)
    if setup.method.stage_with_target.flops_reduction is None:
        if known is None and _may_refuse(setup.method):
            known = _check_each(setup, examples)
            if keep:
                store.write(FILE, known)
        return setup
    if known is None:
        known = _solve(setup, examples)
        if keep:
            store.write(FILE, known)
    return replace(setup, method=setup.method.with_ratio(known["ratio"]))


def _known(store: RunStore, method: MergeMethod) -> dict[str, Any] | None:
    """What was solved for this very request; None where nothing was, or where the file is damaged."""
    try:
        known = store.read(FILE)
    except FileError as error:
        log.warning("The ratio is solved again, since what was kept of it cannot be read: %s", error)
        return None
    if known is None or method.stage_with_target.flops_reduction is None:
        return known
    ratio = known.get("ratio")
    whole = isinstance(ratio, float | int) and not isinstance(ratio, bool) and 0 <= ratio < 1
    if whole and known.get("flops_reduction") == method.stage_with_target.flops_reduction:
        return known
    log.warning("The ratio is solved again, since %s holds none for this run", store.folder / FILE)
    return None


def _solve(setup: Setup, examples: Sequence[Example]) -> dict[str, Any]:
    """The ratio, and what it was solved for."""
    prompts = _prompts(setup, examples)
    if not any(audio for audio, _ in prompts):
        raise ConfigError("merge.flops_reduction cannot be met: no audio of this run can be read")
    shape = setup.local.shape
    method = solve_ratio(setup.method, prompts, shape.layers, lambda tokens: paper_prompt_flops(tokens, shape))
    asked = setup.method.stage_with_target
    (ratio,) = (stage.ratio for stage in method.stages() if stage.site is asked.site)
    audio, text = (sum(counts) / len(prompts) for counts in zip(*prompts, strict=True))
    return {
        "flops_reduction": asked.flops_reduction,
        "ratio": ratio,
        "prompts": len(prompts),
        "audio_tokens": audio,
        "text_tokens": text,
    }


def _may_refuse(method: MergeMethod) -> bool:
    """Whether `tokens_kept` can ask for a ratio that the method does not take."""
    if not method.has_target:
        return False
    try:
        method.with_ratio(0.99)
    except ConfigError:
        return True
    return False


def _check_each(setup: Setup, examples: Sequence[Example]) -> dict[str, Any]:
    """What was looked at; ConfigError, before any answer, where a prompt's `tokens_kept` cannot be met."""
    prompts = _prompts(setup, examples)
    for audio, text in dict.fromkeys(prompts):
        try:
            solve_ratio(setup.method, [(audio, text)], setup.local.shape.layers, lambda _: 0.0)
        except ConfigError as error:
            raise ConfigError(f"a prompt of this run has {audio} audio and {text} other tokens: {error}") from error
    return {"tokens_kept": setup.method.stage_with_target.tokens_kept, "prompts": len(prompts)}


def _prompts(setup: Setup, examples: Sequence[Example]) -> list[Prompt]:
    """Token counts of all examples whose audio can be read."""
    batches = PreparedBatches(planned(setup), partial(_count, setup.local))
    everything = range(len(batches))
    reader = ReadAhead(batches, everything, length=len(batches), workers=setup.hardware.num_workers)
    return [tokens for batch in reader for _, tokens in batch.ready]


def _count(adapter: ModelAdapter, example: Example) -> Prompt:
    return adapter.prompt_tokens(adapter.prepare(example))
