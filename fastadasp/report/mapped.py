"""Merge maps for a report, from what its command line says."""

from collections.abc import Sequence
from pathlib import Path

from fastadasp.api.loading import load
from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.errors import ConfigError
from fastadasp.report.pictures.merge_map import MergeMap, merge_map

METHODS = ("merge=none", "merge=fastadasp merge.ratio=0.3", "merge=frame merge.ratio=0.3")
"""What is drawn where the command line names no method."""


def mapped(model_name: str, task_settings: Sequence[str], ids: Sequence[str], methods: Sequence[str]) -> list[MergeMap]:
    """The maps of the clips `ids` of a task's manifest, under methods given as Hydra settings.

    Raises ConfigError for an id that the manifest does not have.
    """
    pairs = []
    for text in methods or METHODS:
        cfg = compose(*task_settings, *text.split())
        pairs.append((text.replace("merge=", "").replace("merge.", ""), build(cfg.merge, "merge")))
    task = build(compose(*task_settings).task, "task")
    examples = {example.id: example for example in task.checked_examples()}
    if unknown := [name for name in ids if name not in examples]:
        raise ConfigError(
            f"--map {unknown[0]}: no such clip in {Path(task.manifest)}; it begins with {next(iter(examples))}"
        )
    model = load(model_name)
    return [merge_map(model, examples[name], pairs, f"{task.name}, {name}") for name in ids]
