"""LoRA weights and other adapters of peft, put onto a model: from a folder of their own, or inside a checkpoint."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastadasp.files.text import FileError, short
from fastadasp.models.base import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def base_of(folder: str | Path) -> str | None:
    """Of a folder that holds an adapter alone, the folder or hub id of the model that it belongs to; else None."""
    path = Path(folder).expanduser()
    if not (path / CONFIG).is_file() or (path / "config.json").is_file():
        return None
    try:
        base = json.loads((path / CONFIG).read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError):
        return None
    return base if isinstance(base, str) and base else None


def put_on(model: "PreTrainedModel", adapter: str, checkpoint: str, revision: str | None) -> None:
    """Load an adapter's weights into `model` and switch them on.

    adapter: a folder or a hub id of its own, or the name of a folder inside `checkpoint`, whose revision is then used.
    ModelError where it cannot be found or does not fit the model: weights that have no place would be left out, and
    places without weights would do nothing, both without a word.
    """
    try:
        _put_on(model, adapter, checkpoint, revision)
    except Exception as error:  # whatever its files make peft and transformers raise
        told = isinstance(error, FileError | OSError)
        reason = short(error, 300) if told else f"{type(error).__name__}: {short(error, 300)}"
        raise ModelError(f"model.adapter={adapter} cannot be put on {type(model).__name__}: {reason}") from error


def _put_on(model: "PreTrainedModel", adapter: str, checkpoint: str, revision: str | None) -> None:
    source, options = _place(adapter, checkpoint, revision)
    _only_safetensors(source, options)
    if find_spec("peft") is None:
        raise FileError("the package peft is missing: pip install 'fastadasp[lora]'")
    report = model.load_adapter(source, adapter_kwargs=options)
    missing, unexpected = sorted(report.missing_keys), sorted(report.unexpected_keys)
    if missing or unexpected:
        what = [f"lacks {len(missing)} weights that its {CONFIG} asks for ({missing[0]}, ...)"] if missing else []
        what += [f"has {len(unexpected)} for which the model has no place ({unexpected[0]}, ...)"] if unexpected else []
        raise FileError(f"{WEIGHTS} {' and '.join(what)}; it belongs to another model")


def _place(adapter: str, checkpoint: str, revision: str | None) -> tuple[str, dict[str, Any]]:
    """Where it is: a source of transformers, and the options that say where inside."""
    own = Path(adapter).expanduser()
    if (own / CONFIG).is_file():
        return str(own), {}
    inside = Path(checkpoint) / adapter
    if Path(checkpoint).is_dir() and not inside.is_dir():
        if "/" not in adapter or own.is_absolute() or adapter.startswith("."):
            raise FileError(
                f"there is neither a folder {own} nor a folder {inside} with an {CONFIG}, as peft's save_pretrained() "
                "writes it"
            )
        return adapter, {}
    return checkpoint, {"subfolder": adapter, "revision": revision}


def _only_safetensors(source: str, options: dict[str, Any]) -> None:
    """FileError where the weights are there as a pickle alone, which transformers would read, too."""
    from transformers.utils import cached_file

    try:
        found = cached_file(source, WEIGHTS, **options)
    except OSError as error:
        raise FileError(f"it has no {WEIGHTS}, and only safetensors are read ({short(error, 120)})") from error
    if found is None:
        raise FileError(f"it has no {WEIGHTS}, and only safetensors are read")
