"""What vLLM calls when it starts, in each of its processes (entry point `vllm.general_plugins`)."""

import logging
from typing import Any

from fastadasp.errors import ConfigError
from fastadasp.serving.settings import Served, from_environment, split
from fastadasp.serving.vllm.families import FAMILIES, refusal

logger = logging.getLogger("vllm.fastadasp")

SETTINGS = "fastadasp"
"""The attribute of a model's configuration that holds the settings of a server, so that all processes see them."""
NEARLY_NONE = 1e-9
"""A rate of pruned video at which vLLM asks models for the positions of their pruned tokens, and no video is pruned."""


def register() -> None:
    """Put the reducing model in the place of each of vLLM's own that a `Family` describes. Without settings, the models
    do what vLLM's own do. May be called several times."""
    from vllm import ModelRegistry
    from vllm.model_executor.models.config import MODELS_CONFIG_MAP

    known = set(ModelRegistry.get_supported_archs())
    for architecture in known:
        earlier = MODELS_CONFIG_MAP.get(architecture)
        MODELS_CONFIG_MAP[architecture] = _config_of(architecture, earlier)
    for architecture in known & set(FAMILIES):
        ModelRegistry.register_model(architecture, f"fastadasp.serving.vllm.models:{architecture}")
    _let_cpu_runner_correct_positions()


def _let_cpu_runner_correct_positions() -> None:
    """vLLM's runner for CPUs loads a model without asking whether it prunes, as its runner for GPUs does; ask there."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    from vllm.v1.worker.cpu_model_runner import CPUModelRunner

    load_model = CPUModelRunner.load_model
    if getattr(load_model, SETTINGS, False):
        return

    def asking(runner: Any, *arguments: Any, **named: Any) -> None:
        load_model(runner, *arguments, **named)
        if getattr(runner.model_config.hf_config, SETTINGS, None) is not None:
            runner.is_multimodal_pruning_enabled = runner.model_config.multimodal_config.is_multimodal_pruning_enabled()

    asking.fastadasp = True  # type: ignore[attr-defined]
    CPUModelRunner.load_model = asking


def _config_of(architecture: str, earlier: Any) -> Any:
    """The class by which vLLM lets a model change its configuration, around the one that vLLM has for it, if any."""
    from vllm.model_executor.models.config import VerifyAndUpdateConfig

    earlier = earlier or VerifyAndUpdateConfig
    if getattr(earlier, SETTINGS, False):
        return earlier

    class ReducingConfig(earlier):  # type: ignore[misc]
        fastadasp = True

        @staticmethod
        def verify_and_update_model_config(model_config: Any) -> None:
            earlier.verify_and_update_model_config(model_config)
            take_settings(model_config, architecture)

    return ReducingConfig


def take_settings(model_config: Any, architecture: str) -> None:
    """Move the settings of this package from the arguments of the processor to the model's configuration, and ask for
    positions of one's own where the method wants tokens to keep theirs.

    Raises ConfigError for settings that cannot be served, and for a model that cannot be served with settings.
    """
    multimodal = model_config.multimodal_config
    own, others = split(None if multimodal is None else multimodal.mm_processor_kwargs)
    own = own or from_environment()
    if not own:
        return
    if architecture not in FAMILIES or multimodal is None:
        raise ConfigError(refusal(architecture))
    served = Served.of(own)
    multimodal.mm_processor_kwargs = others or None
    setattr(model_config.hf_config, SETTINGS, own)
    if served.original:
        take_positions(model_config.hf_text_config)
        multimodal.video_pruning_rate = NEARLY_NONE
    logger.info("fastadasp reduces audio tokens: %s", served.method)


def take_positions(text_config: Any) -> None:
    """Let vLLM ask the model for the positions of a decoder that has one for each token, by calling them M-RoPE of
    three axes: these always hold the same position, and turn queries and keys as one axis does."""
    rotary = text_config.rope_parameters
    if "mrope_section" in rotary:
        return
    head = getattr(text_config, "head_dim", None) or text_config.hidden_size // text_config.num_attention_heads
    half = int(head * rotary.get("partial_rotary_factor", 1.0)) // 2
    rotary["mrope_section"] = [half - 2 * (half // 3), half // 3, half // 3]
