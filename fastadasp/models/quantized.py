"""Weights of fewer bits: a setting is handed to transformers, which knows torchao, bitsandbytes and others."""

from collections.abc import Mapping
from typing import Any

from fastadasp.errors import ConfigError
from fastadasp.files.text import short, shown

HOW = (
    "`quantization` is written as config.json writes it, such as {quant_method: bitsandbytes, load_in_8bit: true} or "
    "{quant_method: torchao, quant_type: Int8WeightOnlyConfig}"
)


def check_quantization(settings: Mapping[str, Any]) -> None:
    """ConfigError for settings that name no method."""
    if settings and not isinstance(settings.get("quant_method"), str):
        raise ConfigError(f"model.quantization={dict(settings)} names no quant_method; {HOW}")


def quantization_config(settings: Mapping[str, Any]) -> Any:
    """transformers' object for `settings`, which are not empty. ConfigError where it has none, with the reason.

    Where `quant_type` of torchao is a text, it is the name of a class of `torchao.quantization`, and keys that are no
    setting of transformers are its arguments.
    """
    from transformers.quantizers.auto import AutoQuantizationConfig

    try:
        if settings.get("quant_method") == "torchao" and isinstance(settings.get("quant_type"), str):
            return _torchao(settings)
        return AutoQuantizationConfig.from_dict(dict(settings))
    except ImportError as error:
        raise ConfigError(
            f"model.quantization={dict(settings)} needs a package that is not installed ({short(error, 120)})"
        ) from error
    except (ValueError, TypeError, AssertionError, KeyError, AttributeError) as error:
        raise ConfigError(f"model.quantization={dict(settings)} cannot be used: {short(error, 200)}; {HOW}") from error


def _torchao(settings: Mapping[str, Any]) -> Any:
    from torchao import quantization
    from transformers import TorchAoConfig

    of_transformers = ("modules_to_not_convert", "include_input_output_embeddings", "untie_embedding_weights")
    known = {name: value for name, value in settings.items() if name in of_transformers}
    own = {name: value for name, value in settings.items() if name not in (*known, "quant_method", "quant_type")}
    kind = getattr(quantization, settings["quant_type"], None)
    if not isinstance(kind, type):
        names = ", ".join(name for name in dir(quantization) if name.endswith("Config"))
        raise ConfigError(f"torchao.quantization has no {shown(settings['quant_type'])}; it has {names}")
    return TorchAoConfig(kind(**own), **known)
