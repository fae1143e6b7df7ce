"""One choice of layer, from a composed config to `selection.json`."""

from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from fastadasp.config.build import build
from fastadasp.config.chosen_layer import FILE, selection_folder
from fastadasp.errors import ConfigError
from fastadasp.evaluation.batches import plan
from fastadasp.evaluation.hardware import resolve
from fastadasp.evaluation.setup import Setup, validate
from fastadasp.evaluation.store import RunStore
from fastadasp.measuring.provenance import provenance
from fastadasp.selection.scores import candidates, score
from fastadasp.selection.settings import LayerScore, Selection
from fastadasp.selection.show import picture, table


def select(cfg: DictConfig) -> int:
    """The layer for this configuration, which is found once and then read again.

    The folder then holds `selection.json`, `selection.md` and `selection.png`. Raises ConfigError for settings under
    which no layer can be chosen.
    """
    store = RunStore(selection_folder(cfg))
    with store.locked():
        content = store.read(FILE)
        if content is None:
            selection: Selection = build(cfg.selection, "selection")
            content = _select(validate(_calibrating(cfg, selection)), selection)
            scores = [LayerScore(**values) for values in content["layers"]]
            lines = table(scores, selection.criterion, content["chosen"]["layer"])
            (store.folder / "selection.md").write_text(lines, encoding="utf-8")
            picture(scores, selection.criterion, content["chosen"]["layer"], store.folder / "selection.png")
            store.write(FILE, content)
    print((store.folder / "selection.md").read_text(encoding="utf-8"))
    print(f"Chosen: merge.layer={content['chosen']['layer']}, kept in {store.folder} for merge.layer=auto")
    return int(content["chosen"]["layer"])


def _calibrating(cfg: DictConfig, selection: Selection) -> DictConfig:
    """The config with the calibration clips in the place of those that are scored."""
    if selection.manifest is None:
        raise ConfigError(
            "selection.manifest must be given: clips to choose the layer by, as a manifest of the task. Take others "
            f"than those to be scored ({cfg.task.manifest}), or the choice has seen the test"
        )
    if selection.manifest.resolve() == Path(cfg.task.manifest).resolve():
        raise ConfigError(f"selection.manifest={selection.manifest} holds the very clips that are scored; take others")
    changed = deepcopy(cfg)
    changed.task.manifest, changed.task.limit = str(selection.manifest), selection.limit
    changed.merge.layer = 0  # in the place of `auto`; each candidate sets its own
    return changed


def _select(setup: Setup, selection: Selection) -> dict[str, Any]:
    adapter, placement = setup.adapter, resolve(setup.hardware)
    adapter.check(setup.examples)
    batches = [
        [adapter.prepare(example) for example in batch.examples]
        for batch in plan(setup.examples, setup.hardware.batch_size)
    ]
    prompts = [adapter.prompt_tokens(prepared) for batch in batches for prepared in batch]
    methods = candidates(setup.method, selection.layers, prompts, adapter.shape)
    adapter.load(
        device=placement.accelerator,
        dtype=placement.dtype,
        attention=placement.attention,
        device_map=setup.hardware.device_map,
    )
    scores = score(adapter, methods, batches, selection.criterion)
    return {
        "chosen": asdict(selection.choose(scores)),
        "criterion": selection.criterion.name,
        "clips": len(prompts),
        "layers": [asdict(one) for one in scores],
        "provenance": provenance(placement),
    }
