"""Where a choice of layer is kept, and reading it back for `merge.layer=auto`. Imports nothing heavy."""

from copy import deepcopy
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from fastadasp.config.fingerprint import AUTO, fingerprint
from fastadasp.errors import ConfigError
from fastadasp.files.json_text import read_json
from fastadasp.files.text import FileError, short, shown

FILE = "selection.json"


def selection_folder(cfg: DictConfig) -> Path:
    """`<output_dir>/selection/<fingerprint>`: the folder of a choice, see `selection_name`."""
    return Path(cfg.output_dir, "selection", selection_name(cfg))


def selection_name(cfg: DictConfig) -> str:
    """The fingerprint of a choice, the same for all runs that share the choice.

    Which clips are scored, how answers are decoded and on what hardware makes no difference to it.
    """
    same = deepcopy(cfg)
    with open_dict(same):
        same.merge.layer = AUTO
        for node, key in ((same, "generation"), (same, "hardware"), (same.task, "manifest"), (same.task, "limit")):
            node.pop(key, None)
    return fingerprint(same)


def _layer(file: Path) -> int:
    try:
        layer = read_json(file)["chosen"]["layer"]
        if type(layer) is int:
            return layer
        raise TypeError(f"chosen.layer is {shown(layer)}")
    except (FileError, KeyError, TypeError) as error:
        raise ConfigError(
            f"merge.layer=auto: {short(file)} does not hold the layer that was chosen ({short(error)}); run `python -m "
            "fastadasp.selection` again, which mends the file"
        ) from error


def with_chosen_layer(cfg: DictConfig) -> DictConfig:
    """`cfg`, `merge.layer=auto` replaced by what `fastadasp select` has chosen.

    Raises ConfigError if it has not run for these settings.
    """
    if cfg.merge.layer != AUTO:
        return cfg
    file = selection_folder(cfg) / FILE
    if not file.exists():
        raise ConfigError(
            "merge.layer=auto, but no layer has been chosen yet for this task, model and reduction; run `python -m "
            "fastadasp.selection selection.manifest=<other clips>` with the same settings, and give selection.* here "
            "too"
        )
    chosen = deepcopy(cfg)
    layer = _layer(file)
    chosen.merge.layer = layer
    if OmegaConf.select(chosen, "merge.decoder._target_") is not None:
        chosen.merge.decoder.layer = layer  # of a chain, in which a method may have set its own
    return chosen
