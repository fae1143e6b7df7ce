"""WavLLM of any size with random weights: the very class, to test and to time without a checkpoint."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.models.random_weights import RandomWeights, check_multiples
from fastadasp.models.wavllm.adapter import WavLLMFamily

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin

_LEAST_VOCABULARY = 3 + 256 + 1 + 95
"""Special pieces, bytes, the sign for a space and what a keyboard has: LLaMA's alphabet, in small."""


@dataclass(frozen=True)
class WavLLMRandom(RandomWeights, WavLLMFamily):
    """Built in memory from its dimensions; nothing is read from disk or hub."""

    layers: int = 12
    hidden: int = 64
    intermediate: int = 128
    heads: int = 4
    vocab: int = 512
    """Rows of the embedding; the tokenizer, which knows single characters and bytes, uses the first 354."""
    positions: int = 4096
    lora_rank: int = 4
    gate_size: int = 32
    whisper_layers: int = 2
    whisper_hidden: int = 32
    whisper_heads: int = 2
    whisper_intermediate: int = 64
    mels: int = 80
    wavlm_layers: int = 2
    wavlm_hidden: int = 24
    wavlm_heads: int = 2
    wavlm_intermediate: int = 48
    wavlm_convolutions: int = 32
    """Channels of WavLM's front end."""
    wavlm_groups: int = 4
    """Groups of its positional convolution."""
    stream_size: int = 32
    bottleneck_size: int = 16
    projected_size: int = 48
    weight_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        of_whisper, of_wavlm = ("whisper_hidden", "whisper_heads"), ("wavlm_hidden", "wavlm_heads")
        check_multiples(self, [("hidden", "heads"), of_whisper, of_wavlm, ("wavlm_hidden", "wavlm_groups")])
        if self.hidden // self.heads % 2:
            raise ConfigError(f"model.hidden must be an even multiple of model.heads, got {self.hidden}, {self.heads}")
        if self.vocab < _LEAST_VOCABULARY:
            raise ConfigError(f"model.vocab must be at least {_LEAST_VOCABULARY} (its characters), got {self.vocab}")

    def _build_processor(self) -> "ProcessorMixin":
        from fastadasp.models.wavllm.features import WavLLMFeatureExtractor
        from fastadasp.models.wavllm.processing import WavLLMProcessor

        return WavLLMProcessor(WavLLMFeatureExtractor(feature_size=self.mels), character_tokenizer())

    def _build_config(self) -> "PreTrainedConfig":
        from transformers import LlamaConfig, WavLMConfig, WhisperConfig

        from fastadasp.models.wavllm.configuration import LLAMA_2_7B, WavLLMConfig

        whisper = WhisperConfig(
            num_mel_bins=self.mels,
            d_model=self.whisper_hidden,
            encoder_layers=self.whisper_layers,
            encoder_attention_heads=self.whisper_heads,
            encoder_ffn_dim=self.whisper_intermediate,
        )
        wavlm = WavLMConfig(
            hidden_size=self.wavlm_hidden,
            num_hidden_layers=self.wavlm_layers,
            num_attention_heads=self.wavlm_heads,
            intermediate_size=self.wavlm_intermediate,
            conv_dim=[self.wavlm_convolutions] * 7,
            num_conv_pos_embedding_groups=self.wavlm_groups,
        )
        own = {
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "max_position_embeddings": self.positions,
        }
        return self._prefilled(
            WavLLMConfig(
                whisper_config=whisper,
                wavlm_config=wavlm,
                text_config=LlamaConfig(**{**LLAMA_2_7B, **own}),
                whisper_channels=2 * (self.whisper_hidden // 2),
                wavlm_channels=2 * (self.wavlm_hidden // 2),
                stream_size=self.stream_size,
                bottleneck_size=self.bottleneck_size,
                projected_size=self.projected_size,
                lora_rank=self.lora_rank,
                gate_size=self.gate_size,
            )
        )

    def _model_class(self) -> "type[PreTrainedModel]":
        from fastadasp.models.wavllm.modeling import WavLLMForConditionalGeneration

        return WavLLMForConditionalGeneration


def character_tokenizer() -> "PreTrainedTokenizerFast":
    """LLaMA's kind of tokenizer without any merge: special pieces, bytes, and characters in LLaMA's order of ids."""
    from fastadasp.models.wavllm.tokenization import BEGIN, END, SPACE, UNKNOWN, Kind, Piece, build_tokenizer

    special = [Piece(UNKNOWN, 0.0, Kind.unknown), Piece(BEGIN, 0.0, Kind.control), Piece(END, 0.0, Kind.control)]
    single_bytes = [Piece(f"<0x{byte:02X}>", 0.0, Kind.byte) for byte in range(256)]
    characters = [SPACE, *map(chr, range(ord("!"), ord("~") + 1))]
    letters = [Piece(character, -float(rank), Kind.normal) for rank, character in enumerate(characters)]
    return build_tokenizer([*special, *single_bytes, *letters])
