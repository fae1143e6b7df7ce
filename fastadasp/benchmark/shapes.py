"""Decoders of known dimensions with random weights: speed and memory do not depend on what the weights say."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.reduction.flops import DecoderShape

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(unsafe_hash=True)
class SpeechShape(DecoderShape):
    """The LLM part of a SpeechLM, its MLP gated, and the prompts that the LLM reads."""

    gated_mlp: bool = field(default=True, init=False)
    tokens_per_second: float = 12.5
    """Of audio."""
    text_before: int = 57
    """Prompt tokens before the audio."""
    text_after: int = 28

    def __post_init__(self) -> None:
        if self.tokens_per_second <= 0 or self.text_before < 1 or self.text_after < 1:
            raise ConfigError(
                "a shape needs tokens_per_second above 0 and at least one prompt token on each side of the audio, got "
                f"{self.tokens_per_second}, {self.text_before} and {self.text_after}"
            )

    def audio_tokens(self, seconds: float) -> int:
        """Audio tokens of a recording."""
        return round(seconds * self.tokens_per_second)

    @property
    def text_tokens(self) -> int:
        """Prompt tokens that are not audio."""
        return self.text_before + self.text_after


@dataclass(frozen=True)
class Prompt:
    """Random embeddings in the place of text and audio. B rows, T tokens, D channels."""

    embeddings_BTD: "Tensor"
    audio_BT: "Tensor"
    """bool: the same columns in every row."""
    seconds: float
    """Audio of one row."""

    @property
    def span(self) -> tuple[int, int]:
        """First column of the audio, and the first after it."""
        columns = self.audio_BT[0].nonzero().flatten()
        return int(columns[0]), int(columns[-1]) + 1


def build(shape: DecoderShape, *, device: str, dtype: str, attention: str, seed: int = 0) -> "PreTrainedModel":
    """A random-weight decoder in eval mode, drawn on `device` itself: Llama's class, or Qwen2's for grouped heads.

    It has no end-of-sequence token: an answer is as long as asked.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    grouped = shape.kv_heads < shape.heads
    config = (Qwen2Config if grouped else LlamaConfig)(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocab,
        max_position_embeddings=32768,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    torch.manual_seed(seed)
    with torch.device(device):
        model = (Qwen2ForCausalLM if grouped else LlamaForCausalLM)._from_config(
            config, dtype=getattr(torch, dtype), attn_implementation=attention
        )
    return model.eval()


def prompt(shape: SpeechShape, seconds: float, rows: int, model: "PreTrainedModel") -> Prompt:
    """`rows` prompts of the same layout, on the model's device."""
    import torch

    audio = shape.audio_tokens(seconds)
    weight = model.get_input_embeddings().weight
    size = (rows, audio + shape.text_tokens, shape.hidden)
    embeddings = torch.randn(size, device=weight.device).mul_(weight.float().std()).to(weight.dtype)
    audio_BT = torch.zeros(size[:2], dtype=torch.bool, device=weight.device)
    audio_BT[:, shape.text_before : shape.text_before + audio] = True
    return Prompt(embeddings, audio_BT, seconds)
