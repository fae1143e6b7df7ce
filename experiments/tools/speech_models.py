"""Prints the sizes of speech language models as their classes are shipped: `python -m experiments.tools.speech_models`.

Each class of transformers is built on the meta device, without weights, from its default configuration. Where that is
not the published decoder's, DECODERS has the dimensions by which the decoder is known; they were not read from a
checkpoint. Weights count 2 bytes each. A minute of audio costs keys and values of 2 bytes in every layer for each of
its audio tokens, without a reduction.
"""

import json
from dataclasses import asdict, dataclass

import torch
import transformers

RATES = {
    "Qwen2Audio": 25.0,
    "AudioFlamingo3": 25.0,
    "MusicFlamingo": 25.0,
    "GlmAsr": 12.5,
    "Voxtral": 12.5,
    "Qwen3ASR": 13.0,
    "FunAsrNano": 100 / 6,
    "VibeVoiceAsr": 7.5,
    "MossTranscribeDiarize": 12.5,
    "GraniteSpeech": 10.0,
    "GraniteSpeechPlus": 10.0,
    "Qwen2_5OmniThinker": 25.0,
    "Qwen3OmniMoeThinker": 13.0,
    "Phi4Multimodal": 12.5,
}
"""Audio tokens a second, as the tests of the families measure them."""
QWEN2_5_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}
GRANITE_2B = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 49160,
    "tie_word_embeddings": True,
}
DECODERS: dict[str, dict[str, int | bool]] = {
    "Qwen2Audio": {"intermediate_size": 11008, "vocab_size": 156032},
    "AudioFlamingo3": QWEN2_5_7B,
    "MusicFlamingo": QWEN2_5_7B,
    "VibeVoiceAsr": QWEN2_5_7B,
    "Qwen2_5OmniThinker": QWEN2_5_7B,
    "GraniteSpeech": GRANITE_2B,
    "GraniteSpeechPlus": GRANITE_2B,
    "Qwen3OmniMoeThinker": {
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "vocab_size": 152064,
    },
}
"""Of decoders whose class has other defaults."""


@dataclass(frozen=True)
class Size:
    """What a model needs."""

    model: str
    decoder: str
    parameters_b: float
    weights_gib: float
    cache_mib_per_minute: float


def size(name: str) -> Size:
    """Of the class with this name, at its default configuration."""
    config = getattr(transformers, f"{name}Config")()
    if name in DECODERS:
        text = config.get_text_config()
        known = {key: value for key, value in text.to_dict().items() if key not in ("layer_types", "mlp_only_layers")}
        config.text_config = type(text)(**{**known, **DECODERS[name]})
    kind = getattr(transformers, f"{name}ForConditionalGeneration", None) or getattr(transformers, f"{name}ForCausalLM")
    with torch.device("meta"):
        weights = sum(weight.numel() for weight in kind(config).parameters())
    text = config.get_text_config()
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    per_token = 2 * 2 * text.num_hidden_layers * text.num_key_value_heads * head
    return Size(
        kind.__name__,
        f"{text.model_type}, {text.num_hidden_layers} x {text.hidden_size}",
        round(weights / 1e9, 2),
        round(2 * weights / 2**30, 1),
        round(60 * RATES[name] * per_token / 2**20, 1),
    )


def main() -> None:
    """One JSON line for each class."""
    transformers.logging.set_verbosity_error()
    for name in RATES:
        print(json.dumps(asdict(size(name))), flush=True)


if __name__ == "__main__":
    main()
