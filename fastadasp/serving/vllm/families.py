"""The audio models of vLLM in which tokens can be reduced, by the name of their architecture, and why others cannot."""

from dataclasses import dataclass

MODELS = "vllm.model_executor.models"


@dataclass(frozen=True)
class Family:
    """Where vLLM defines a model whose prompts hold placeholders of audio that vLLM itself writes, with text before
    each clip, and whose decoder turns queries and keys by one position for each token."""

    module: str
    """Of vLLM's folder of models."""
    class_name: str


FAMILIES = {
    "Qwen2AudioForConditionalGeneration": Family("qwen2_audio", "Qwen2AudioForConditionalGeneration"),
    "AudioFlamingo3ForConditionalGeneration": Family("audioflamingo3", "AudioFlamingo3ForConditionalGeneration"),
    "GlmAsrForConditionalGeneration": Family("glmasr", "GlmAsrForConditionalGeneration"),
    "GraniteSpeechForConditionalGeneration": Family("granite_speech", "GraniteSpeechForConditionalGeneration"),
    "Qwen3ASRForConditionalGeneration": Family("qwen3_asr", "Qwen3ASRForConditionalGeneration"),
}
"""By the name that `architectures` of a config.json holds."""

_OMNI = "its prompts may mix audio with pictures and video, whose positions this package does not plan"
REFUSED = {
    "Qwen2_5OmniModel": _OMNI,
    "Qwen2_5OmniForConditionalGeneration": _OMNI,
    "Qwen3OmniMoeForConditionalGeneration": _OMNI,
    "VoxtralForConditionalGeneration": (
        "its tokenizer (mistral-common) writes the placeholders of audio into the prompt before vLLM sees it, so that "
        "their number cannot be changed"
    ),
    "VoxtralRealtimeGeneration": "it adds audio to text token by token, and has no audio tokens of its own",
    "WhisperForConditionalGeneration": "its decoder reads audio by cross-attention, and its prompt has no audio tokens",
}
"""Why a model of vLLM cannot be served with fewer audio tokens, where that is known."""


def refusal(architecture: str) -> str:
    """Why a model of this architecture cannot be served with fewer audio tokens, in a sentence."""
    reason = REFUSED.get(architecture, "this package has not tried it")
    return (
        f"`merge` cannot be served with {architecture}: {reason}; models that can are {', '.join(sorted(FAMILIES))}. "
        "Leave `merge` out to serve the model with all of its tokens"
    )
