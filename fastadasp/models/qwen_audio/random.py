"""Qwen-Audio of any size with random weights: the converted checkpoint's class, to test without one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.models.qwen_audio.adapter import QwenAudioFamily

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, ProcessorMixin

_TOKENS = 256 + 3522
"""Bytes and special tokens."""


@dataclass(frozen=True)
class QwenAudioRandom(QwenAudioFamily, Qwen2AudioRandom):
    """Built in memory from its dimensions; text is spelled in bytes."""

    vocab: int = 4096
    """Rows of the embedding; the byte-level tokenizer uses the first 3778."""
    positions: int = 8192
    mels: int = 80
    seq_length: int = 2048
    """Tokens from which on log-n attention and dynamic NTK act."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.vocab < _TOKENS:
            raise ConfigError(f"model.vocab must be at least {_TOKENS} (bytes and special tokens), got {self.vocab}")
        if self.seq_length < 2:
            raise ConfigError(f"model.seq_length must be at least 2, got {self.seq_length}")

    def _build_processor(self) -> "ProcessorMixin":
        from fastadasp.models.qwen_audio.processor import build_processor
        from fastadasp.models.qwen_audio.tokenizer import build_tokenizer

        tokenizer = build_tokenizer({bytes([byte]): byte for byte in range(256)}, chat=self.chat)
        return build_processor(tokenizer, chat=self.chat, mels=self.mels)

    def _build_config(self) -> "PreTrainedConfig":
        config = super()._build_config()
        for name, value in (("seq_length", self.seq_length), ("use_logn_attn", True), ("use_dynamic_ntk", True)):
            setattr(config.text_config, name, value)
        return config

    def _model_class(self) -> "type[PreTrainedModel]":
        from fastadasp.models.qwen_audio.architecture import QwenAudioForConditionalGeneration

        return QwenAudioForConditionalGeneration
