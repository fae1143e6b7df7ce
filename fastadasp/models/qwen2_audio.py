"""Qwen2-Audio and every checkpoint of its class: Whisper-shaped encoder, 25 audio tokens per second, Qwen2 decoder.

The processor cuts audio at 30 s without a word; here longer audio becomes several clips of one prompt.
"""

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.models.pretrained import Pretrained
from fastadasp.models.speechlm import SpeechLM
from fastadasp.models.transfer import pad_left, to_device

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchFeature

    from fastadasp.data.audio import Samples
    from fastadasp.tasks.base import Example

ENCODER_SECONDS = 30.0
"""What the encoder's position table holds."""
_LEAST_SAMPLES = 7 * 160
"""Shortest clip (70 ms) that gives two audio tokens; shorter ones are padded with silence. Below 30 ms there would be
no token at all, and a prompt without two adjacent ones sends transformers down a legacy path that moves every token."""


@dataclass(frozen=True)
class Qwen2AudioFamily(SpeechLM, ABC):
    """Prompts and features of `Qwen2AudioForConditionalGeneration`, wherever its weights come from."""

    chat: bool = True
    """Use the checkpoint's chat template; false: the bare prompt of the base model, clips then instruction."""
    clip_seconds: float = ENCODER_SECONDS
    """Longest clip; longer audio is cut into several clips of one prompt."""
    cut_search_seconds: float = 2.0
    """A cut falls on the quietest point of this many seconds before the clip's limit; 0 cuts exactly there."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.clip_seconds <= ENCODER_SECONDS:
            raise ConfigError(f"model.clip_seconds must lie in [1, {ENCODER_SECONDS:g}], got {self.clip_seconds}")
        if not 0 <= self.cut_search_seconds <= self.clip_seconds / 2:
            raise ConfigError(
                f"model.cut_search_seconds must lie in [0, {self.clip_seconds / 2:g}] (half of model.clip_seconds), "
                f"got {self.cut_search_seconds}"
            )

    def prepare(self, example: "Example") -> dict[str, "Tensor"]:
        """Ids (T,), log-mel features (clips, mels, 3000) and their mask (clips, 3000) of one example; on the CPU."""
        from fastadasp.data.audio import AudioError, pad_to, split_clips

        clips = [
            pad_to(clip, _LEAST_SAMPLES)
            for samples in self.read(example)
            for clip in split_clips(samples, self.clip_seconds, self.cut_search_seconds)
        ]
        prepared = self._processed(self._prompt(len(clips), self.wording(example)), clips)
        tokens, positions = len(prepared["input_ids"]), self.config.get_text_config().max_position_embeddings
        if tokens > positions:
            raise AudioError(f"example {example.id}: its prompt has {tokens} tokens, the model's limit is {positions}")
        return prepared

    def _processed(self, prompt: str, clips: Sequence["Samples"]) -> dict[str, "Tensor"]:
        """What `prepare` returns, of a prompt with as many placeholders as there are clips."""
        from fastadasp.data.audio import SAMPLE_RATE

        features = self.processor(text=[prompt], audio=list(clips), sampling_rate=SAMPLE_RATE, return_tensors="pt")
        return {
            "input_ids": features["input_ids"][0],
            "input_features": features["input_features"],
            "feature_attention_mask": features["feature_attention_mask"],
        }

    @property
    def reserved(self) -> tuple[str, ...]:
        """Special tokens that no instruction may hold: the placeholder of audio, its markers, and marks of turns."""
        marks = self.processor
        turns = ("<|im_start|>", "<|im_end|>") if self.chat else ()
        return (marks.audio_token, marks.audio_bos_token, marks.audio_eos_token, *turns)

    def prompt_tokens(self, prepared: Mapping[str, "Tensor"]) -> tuple[int, int]:
        """Audio tokens and all other tokens of one prompt; needs no weights."""
        return self.count(prepared["input_ids"])

    def _prompt(self, clips: int, instruction: str) -> str:
        """The whole prompt with one audio placeholder for each clip."""
        if not self.chat:
            marks = self.processor
            return f"{marks.audio_bos_token}{marks.audio_token}{marks.audio_eos_token}" * clips + instruction
        content = [*({"type": "audio"} for _ in range(clips)), {"type": "text", "text": instruction}]
        return self.render(content, clips)

    def encode(self, prepared: Sequence[Mapping[str, "Tensor"]]) -> "BatchFeature":
        """A left-padded batch of prompts with features, on the model's device.

        The clips of all rows follow each other in `input_features`.
        """
        import torch
        from transformers import BatchFeature

        from fastadasp.engine.device import input_device

        ids = [row["input_ids"] for row in prepared]
        batch = BatchFeature(
            {
                "input_ids": pad_left(ids, self.model.generation_config.pad_token_id),
                "attention_mask": pad_left([torch.ones_like(row) for row in ids], 0),
                "input_features": torch.cat([row["input_features"] for row in prepared]),
                "feature_attention_mask": torch.cat([row["feature_attention_mask"] for row in prepared]),
            }
        )
        return to_device(batch, input_device(self.model))


@dataclass(frozen=True, kw_only=True)
class Qwen2Audio(Qwen2AudioFamily, Pretrained):
    """A trained checkpoint, Qwen2-Audio-7B or another of its class."""

    model_type = "qwen2_audio"

    @classmethod
    def option_for(cls, described: Mapping[str, Any]) -> str | None:
        """The option of `conf/model` that suits a checkpoint with this config.json; None where this class does not.

        The config.json of a base model looks the same as that of a chat model.
        """
        first = "use_logn_attn" in (described.get("text_config") or {})
        return "qwen2_audio_7b_instruct" if described.get("model_type") == cls.model_type and not first else None
