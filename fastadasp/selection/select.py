"""One choice of layer, from a composed config to `selection.json`."""

import logging
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

from omegaconf import DictConfig

from fastadasp.config.build import build
from fastadasp.config.chosen_layer import FILE, selection_folder
from fastadasp.errors import ConfigError
from fastadasp.evaluation.batches import planned
from fastadasp.evaluation.hardware import load, resolve
from fastadasp.evaluation.setup import Setup, validate
from fastadasp.evaluation.store import RunStore
from fastadasp.files.json_text import JsonError
from fastadasp.files.records import record
from fastadasp.files.text import FileError
from fastadasp.measuring.provenance import provenance
from fastadasp.selection.scores import candidates, score
from fastadasp.selection.settings import LayerScore, Selection
from fastadasp.selection.show import picture, table

log = logging.getLogger(__name__)


def select(cfg: DictConfig) -> int:
    """The layer for this configuration, which is found once and then read again.

    The folder then holds `selection.json`, `selection.md` and `selection.png`. Raises ConfigError for settings under
    which no layer can be chosen.
    """
    store = RunStore(selection_folder(cfg))
    with store.locked():
        selection: Selection = build(cfg.selection, "selection")
        choice = _kept(store)
        if choice is None:
            choice = _select(validate(_calibrating(cfg, selection)), selection)
            lines = table(choice.layers, selection.criterion, choice.chosen.layer)
            (store.folder / "selection.md").write_text(lines, encoding="utf-8")
            picture(choice.layers, selection.criterion, choice.chosen.layer, store.folder / "selection.png")
            store.write(FILE, asdict(choice))
    print(table(choice.layers, selection.criterion, choice.chosen.layer))
    print(f"Chosen: merge.layer={choice.chosen.layer}, kept in {store.folder} for merge.layer=auto")
    return choice.chosen.layer


@dataclass(frozen=True)
class Choice:
    """The content of `selection.json`."""

    chosen: LayerScore
    criterion: str
    clips: int
    layers: list[LayerScore]
    provenance: dict[str, object]
    about: str = ""
    """Task and method, for pictures of several choices."""


def _kept(store: RunStore) -> Choice | None:
    """What was chosen before; None where nothing was, or where the file is damaged."""
    try:
        content = store.read(FILE)
        return None if content is None else record(Choice, content)
    except (FileError, JsonError) as error:
        log.warning("The layer is chosen again, since %s is damaged: %s", store.folder / FILE, error)
        return None


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


def _select(setup: Setup, selection: Selection) -> Choice:
    adapter, placement = setup.local, resolve(setup.hardware)
    adapter.check(setup.examples)
    batches = [[adapter.prepare(example) for example in batch.examples] for batch in planned(setup)]
    prompts = [adapter.prompt_tokens(prepared) for batch in batches for prepared in batch]
    methods = candidates(setup.method, selection.layers, prompts, adapter.shape)
    load(adapter, placement)
    scores = score(adapter, methods, batches, selection.criterion)
    about = f"{setup.task.name}, {type(setup.method).__name__}"
    chosen = selection.choose(scores)
    return Choice(chosen, selection.criterion.name, len(prompts), scores, provenance(placement), about)
