"""Qwen2-Audio of any size with random weights: the shipped class, to test and to time without a checkpoint."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.models.qwen2_audio import Qwen2AudioFamily
from fastadasp.models.random_weights import RandomWeights, check_multiples

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin

_SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]


@dataclass(frozen=True)
class Qwen2AudioRandom(RandomWeights, Qwen2AudioFamily):
    """Built in memory from its dimensions; nothing is read from disk or hub."""

    layers: int = 12
    hidden: int = 64
    intermediate: int = 128
    heads: int = 4
    kv_heads: int = 4
    vocab: int = 512
    """Rows of the embedding; the byte-level tokenizer uses the first 262."""
    positions: int = 32768
    encoder_layers: int = 2
    encoder_hidden: int = 32
    encoder_heads: int = 2
    encoder_intermediate: int = 64
    mels: int = 128
    weight_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_multiples(self, [("hidden", "heads"), ("heads", "kv_heads"), ("encoder_hidden", "encoder_heads")])
        if self.vocab < (least := 256 + len(_SPECIAL_TOKENS)):
            raise ConfigError(f"model.vocab must be at least {least} (bytes and special tokens), got {self.vocab}")

    def _build_processor(self) -> "ProcessorMixin":
        from transformers import Qwen2AudioProcessor, WhisperFeatureExtractor

        extractor = WhisperFeatureExtractor(feature_size=self.mels, return_attention_mask=True)
        return Qwen2AudioProcessor(feature_extractor=extractor, tokenizer=byte_tokenizer())

    def _build_config(self) -> "PreTrainedConfig":
        from transformers import Qwen2AudioConfig, Qwen2AudioEncoderConfig, Qwen2Config

        tokenizer = self.processor.tokenizer
        encoder = Qwen2AudioEncoderConfig(
            num_mel_bins=self.mels,
            d_model=self.encoder_hidden,
            encoder_layers=self.encoder_layers,
            encoder_attention_heads=self.encoder_heads,
            encoder_ffn_dim=self.encoder_intermediate,
        )
        decoder = Qwen2Config(
            vocab_size=self.vocab,
            hidden_size=self.hidden,
            intermediate_size=self.intermediate,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=self.positions,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        audio_token = tokenizer.convert_tokens_to_ids(self.processor.audio_token)
        return Qwen2AudioConfig(audio_config=encoder, text_config=decoder, audio_token_index=audio_token)

    def _model_class(self) -> "type[PreTrainedModel]":
        from transformers import Qwen2AudioForConditionalGeneration

        return Qwen2AudioForConditionalGeneration  # type: ignore[no-any-return]


def byte_tokenizer() -> "PreTrainedTokenizerFast":
    """One token per UTF-8 byte, and Qwen2-Audio's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(_SPECIAL_TOKENS)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=_SPECIAL_TOKENS,
    )
