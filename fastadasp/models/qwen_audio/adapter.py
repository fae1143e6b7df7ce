"""Qwen-Audio, base and chat: a Whisper-shaped encoder, 25 audio tokens per second, Qwen-7B as decoder.

The released code cuts audio at 30 s; here longer audio becomes several clips of one prompt, as for Qwen2-Audio.
"""

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.models.pretrained import ModelError, Pretrained
from fastadasp.models.qwen2_audio import Qwen2AudioFamily
from fastadasp.models.qwen_audio.tokenizer import END_OF_TEXT, LANGUAGES

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedModel

    from fastadasp.data.audio import Samples
    from fastadasp.tasks.base import Example

AudioSpan = Enum("AudioSpan", ["features", "released"])
"""Which tokens of a clip a method may reduce. `features`: those that the encoder made; `released`: the start marker
before them too, as in the released FastAdaSP code."""
_TAG_OF = {
    "english": "en",
    "chinese": "zh",
    "traditional chinese": "zh_tr",
    "german": "de",
    "spanish": "es",
    "korean": "ko",
    "french": "fr",
    "japanese": "ja",
    "italian": "it",
}


@dataclass(frozen=True)
class QwenAudioFamily(Qwen2AudioFamily, ABC):
    """Prompts and features of Qwen-Audio, wherever its weights come from."""

    span: AudioSpan = AudioSpan.features
    """Which tokens of a clip may be reduced, see AudioSpan."""
    spoken_language: str = "en"
    """Language of the speech, for task tags: a code or an English name. A manifest line's field `spoken_language` goes
    before it. `model.instructions` may use `{spoken}` for its tag and `{target}` for that of `task.language`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _tag(self.spoken_language, "model.spoken_language")

    def wording(self, example: "Example") -> str:
        """The example's instruction as this model wants it. Raises ConfigError when it cannot be worded.

        The wording includes the tags of the languages of the audio and of the text.
        """
        spoken = _tag(str(example.meta.get("spoken_language", self.spoken_language)), "spoken_language")
        tags = {"spoken": spoken}
        if "{target}" in self.instructions.get(example.task, ""):
            tags["target"] = _tag(str(example.meta.get("language", "")), "task.language")
        return super().wording(replace(example, meta={**example.meta, **tags}))

    def _processed(self, prompt: str, clips: Sequence["Samples"]) -> dict[str, "Tensor"]:
        import torch

        from fastadasp.models.qwen_audio.processor import clip_features, expanded

        features, mask, tokens = clip_features(self.processor.feature_extractor, clips)
        ids = self.processor.tokenizer(expanded(prompt, tokens), add_special_tokens=False).input_ids
        return {"input_ids": torch.tensor(ids), "input_features": features, "feature_attention_mask": mask}

    @property
    def reserved(self) -> tuple[str, ...]:
        """Special tokens that no instruction may hold.

        In the prompts of the base model, only the end of a text has such a meaning.
        """
        return (*super().reserved, END_OF_TEXT)

    def count(self, ids: "Tensor") -> tuple[int, int]:
        """Audio tokens and all others among a prompt's ids, those of `span` being audio."""
        audio = int(self._is_audio(ids).sum())
        return audio, ids.numel() - audio

    def audio_mask(self, inputs: "BatchFeature") -> "Tensor":
        """(B, T) bool over the prompt as the decoder sees it: which positions are audio (those of `span`)."""
        return self._is_audio(inputs["input_ids"])

    def _is_audio(self, ids: "Tensor") -> "Tensor":
        audio: Tensor = ids == self.config.audio_token_id
        if self.span is AudioSpan.features:
            return audio
        start = self.processor.tokenizer.convert_tokens_to_ids(self.processor.audio_bos_token)
        audio |= ids == start
        return audio


@dataclass(frozen=True, kw_only=True)
class QwenAudio(QwenAudioFamily, Pretrained):
    """A released checkpoint, base or chat, after `fastadasp convert qwen_audio`."""

    model_type = "qwen2_audio"
    how_to_get = (
        "The released checkpoints are converted once: `hf download Qwen/Qwen-Audio --local-dir ORIGINAL` (for the chat "
        "model Qwen/Qwen-Audio-Chat), then `fastadasp convert qwen_audio ORIGINAL {path}`"
    )

    @classmethod
    def option_for(cls, described: Mapping[str, Any]) -> str | None:
        """The option of `conf/model` that suits a checkpoint with this config.json; None where this class does not.

        The chat model is known by its answers ending at the end of a turn.
        """
        text = described.get("text_config") or {}
        if "use_logn_attn" not in text:
            return None
        return "qwen_audio" if text.get("eos_token_id") == [text.get("pad_token_id")] else "qwen_audio_chat"

    def _model_class(self) -> "type[PreTrainedModel]":
        from fastadasp.models.qwen_audio.architecture import QwenAudioForConditionalGeneration

        if not hasattr(self.config.get_text_config(), "use_logn_attn"):
            how = self.how_to_get.replace("{path}", "OUT")
            raise ModelError(
                f"model.path={self.path} holds Qwen2-Audio, the second generation; choose model=qwen2_audio_7b or "
                f"qwen2_audio_7b_instruct for it\n{how}"
            )
        return QwenAudioForConditionalGeneration


def _tag(language: str, key: str) -> str:
    """The code of a language that has a task tag. Raises ConfigError for any other."""
    code = _TAG_OF.get(language.strip().lower(), language.strip())
    if code not in LANGUAGES:
        known = ", ".join(f"{code} ({name.title()})" for name, code in _TAG_OF.items())
        raise ConfigError(f"{key}: Qwen-Audio has no tag for {language!r}; it knows {known}")
    return code
