"""Loading checkpoints from a local folder or the hub, safely and with errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastadasp.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, ProcessorMixin


class ModelError(InputError):
    """A checkpoint that cannot be loaded; the message names it and what is wrong."""


def check_path(path: str) -> None:
    """Refuse a local folder that does not exist; a hub id is left for loading. Raises ModelError."""
    folder = Path(path).expanduser()
    if (path.startswith((".", "~")) or folder.is_absolute()) and not (folder / "config.json").is_file():
        what = "holds no config.json" if folder.is_dir() else "does not exist"
        raise ModelError(f"model.path={path}: the folder {what}; give a checkpoint's folder or a hub id")


def load_config(path: str, revision: str | None, model_type: str | None = None) -> "PreTrainedConfig":
    """The checkpoint's config; ModelError when it is not of `model_type`."""
    from transformers import AutoConfig

    with _explained(path):
        config = AutoConfig.from_pretrained(_local(path), revision=revision, trust_remote_code=False)
    if model_type not in (None, config.model_type):
        raise ModelError(
            f"model.path={path} holds a {config.model_type} checkpoint, this adapter loads {model_type}; "
            "choose the model=... that fits"
        )
    return config


def load_processor(path: str, revision: str | None) -> "ProcessorMixin":
    """The checkpoint's processor."""
    from transformers import AutoProcessor

    with _explained(path):
        return AutoProcessor.from_pretrained(_local(path), revision=revision, trust_remote_code=False)


def load_model(
    model_class: Any,
    path: str,
    revision: str | None,
    *,
    device: str,
    dtype: str,
    attention: str,
    device_map: str | None,
) -> "PreTrainedModel":
    """The checkpoint's weights, from safetensors only; ModelError when a weight is missing or of a wrong shape.

    model_class: a transformers class with `from_pretrained`; the other arguments as in `ModelAdapter.load`.
    """
    with _explained(path):
        model, report = model_class.from_pretrained(
            _local(path),
            revision=revision,
            dtype=dtype,
            attn_implementation=attention,
            device_map=device_map or {"": device},
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):
        # transformers would go on with random numbers in their place.
        raise ModelError(
            f"model.path={path}: the checkpoint lacks {len(missing)} weights: {', '.join(missing[:5])} ..."
        )
    return model


def _local(path: str) -> str:
    return str(Path(path).expanduser()) if path.startswith("~") else path


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Word transformers' loading errors for the person who set `model.path`."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"model.path={path} cannot be loaded: {reason}\n"
            f"Give the folder of a checkpoint, or a hub id that is reachable or cached (`hf download {path}`)"
        ) from error
