"""The audio models of vLLM in which tokens can be reduced, by the name of their architecture."""

from dataclasses import dataclass

MODELS = "vllm.model_executor.models"


@dataclass(frozen=True)
class Family:
    """Where vLLM defines a model, and which positions its decoder can be given."""

    module: str
    """Of vLLM's folder of models."""
    class_name: str
    original: bool
    """Whether fused tokens can keep the positions of the audio that they stand for: the decoder has one rotary position
    for each token, and audio placeholders have text on both sides."""


FAMILIES = {
    "Qwen2AudioForConditionalGeneration": Family("qwen2_audio", "Qwen2AudioForConditionalGeneration", original=True),
}
"""By the name that `architectures` of a config.json holds."""
