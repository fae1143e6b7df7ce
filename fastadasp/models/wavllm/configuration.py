"""The sizes of a WavLLM; those of the published checkpoint if nothing is said."""

from typing import Any, ClassVar

from transformers import AutoConfig, LlamaConfig, PreTrainedConfig, WavLMConfig, WhisperConfig

WHISPER_LARGE_V2 = {
    "num_mel_bins": 80,
    "d_model": 1280,
    "encoder_layers": 32,
    "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "max_source_positions": 1500,
}
LLAMA_2_7B = {
    "vocab_size": 32_000,
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    # LLaMA-2 was trained on 4096. The released code's table of rotary positions ends at 2048, too early for 240 s.
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6,  # as the released code has it; LLaMA-2 itself was published with 1e-5
    "bos_token_id": 1,
    "eos_token_id": 2,
}
PREFILLS = ("whole", "released")
"""How a prompt is read. `whole`: at once. `released`: as the released code does, up to the audio's end and one token
more; then the instruction, token by token. Without token reduction the answers are the same."""


class WavLLMConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is untyped
    """Both encoders, what leads from them to the decoder, the decoder, its LoRA weights and their gate."""

    model_type = "wavllm"
    sub_configs: ClassVar[dict[str, Any]] = {
        "whisper_config": WhisperConfig,
        "wavlm_config": WavLMConfig,
        "text_config": LlamaConfig,
    }
    frames_per_audio_token: ClassVar[int] = 4
    """Frames of Whisper's encoder that make one token of the decoder."""

    whisper_config: dict[str, Any] | PreTrainedConfig | None = None
    wavlm_config: dict[str, Any] | PreTrainedConfig | None = None
    text_config: dict[str, Any] | PreTrainedConfig | None = None
    audio_token_id: int = 0
    """Stands for audio in a prompt's ids: LLaMA's `<unk>`, which no text is ever split into."""
    whisper_channels: int = 1280
    """Channels between the two convolutions after Whisper, half of which gate the others."""
    wavlm_channels: int = 512
    stream_size: int = 1024
    """Channels of a stream after its convolutions."""
    bottleneck_size: int = 512
    projected_size: int = 2048
    """Channels of a stream where both are joined."""
    lora_rank: int = 32
    gate_size: int = 1024
    gate_limit: float = 3.0
    """Largest value of the gate."""
    prefill: str = "whole"

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill in what is not given, and refuse what cannot be built (ValueError)."""
        self.whisper_config = _sub_config(WhisperConfig, self.whisper_config, WHISPER_LARGE_V2)
        self.wavlm_config = _sub_config(WavLMConfig, self.wavlm_config, {})
        self.text_config = _sub_config(LlamaConfig, self.text_config, LLAMA_2_7B)
        super().__post_init__(**kwargs)
        if self.prefill not in PREFILLS:
            raise ValueError(f"prefill must be one of {', '.join(PREFILLS)}, got {self.prefill!r}")
        text: Any = self.text_config
        wavlm: Any = self.wavlm_config
        if text.num_key_value_heads != text.num_attention_heads:
            raise ValueError(
                "the gate has one value for each channel of the decoder, so keys and values need as many heads as "
                f"queries; got {text.num_key_value_heads} and {text.num_attention_heads}"
            )
        if wavlm.do_stable_layer_norm or wavlm.add_adapter:
            raise ValueError("WavLM must be of the base kind, which has neither do_stable_layer_norm nor add_adapter")


def _sub_config(kind: type[PreTrainedConfig], given: Any, published: dict[str, Any]) -> Any:
    if given is None:
        return kind(**published)
    return kind(**given) if isinstance(given, dict) else given


AutoConfig.register(WavLLMConfig.model_type, WavLLMConfig, exist_ok=True)
