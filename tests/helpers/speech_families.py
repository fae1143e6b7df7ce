"""Tiny random checkpoints of transformers' speech language models: the shipped classes and processors, as on the hub.

Each is a folder with `config.json`, safetensors, a byte-level tokenizer with the family's special tokens, the feature
extractor and a chat template in the style of the family.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as t
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tests.helpers import voxtral_files
from tests.helpers.family_parts import (
    DECODER,
    OMNI_NAMES,
    WHISPER,
    granite,
    of_omni,
    omni,
    omni_moe,
    phi4,
    vibevoice,
    whisper_extractor,
    whisper_like,
    with_extractor,
)

CHATML = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string %}{{ message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'audio' %}AUDIO{%- else %}{{ part.text }}{%- endif %}{%- endfor %}{%- endif %}"
    "{{ '<|im_end|>\n' }}{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
"""Turns of ChatML, with AUDIO where the family's marks of a recording stand."""
SPOKEN_ONLY = (
    "{{- '<|im_start|>system\n' }}{%- for message in messages %}{%- if message.role == 'system' %}"
    "{%- for part in message.content %}{{ part.text }}{%- endfor %}{%- endif %}{%- endfor %}{{ '<|im_end|>\n' }}"
    "{%- for message in messages %}{%- for part in message.content %}{%- if part.type == 'audio' %}"
    "{{ '<|im_start|>user\n' + 'AUDIO' + '<|im_end|>\n' }}{%- endif %}{%- endfor %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
"""A recogniser's template, which leaves out what the user writes."""
ROLES = (
    "{%- for message in messages %}{{ '<|start_of_role|>' + message.role + '<|end_of_role|>' + message.content "
    "+ '<|end_of_text|>\n' }}{%- endfor %}{%- if add_generation_prompt %}"
    "{{ '<|start_of_role|>assistant<|end_of_role|>' }}{%- endif %}"
)
"""A template whose turns are strings, in which the audio's mark is written by the user."""
NUMBERED = (
    "{%- for message in messages %}{{ '<|' + message.role + '|>' }}{%- if message.content is string %}"
    "{{ message.content }}{%- else %}{%- for part in message.content %}{%- if 'audio' in part %}AUDIO{%- elif "
    "part.type == 'text' %}{{ part.text }}{%- endif %}{%- endfor %}{%- endif %}{{ '<|end|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|assistant|>' }}{%- endif %}"
)
"""A template that wants the key `audio` in a part."""


@dataclass(frozen=True)
class Family:
    """How a tiny checkpoint of a family is made."""

    model: Callable[[int], Any]
    """The model, from the id of the audio token."""
    processor: Callable[[Any, str], Any]
    """The processor, from the tokenizer and the chat template."""
    audio: str
    """The token that stands for audio."""
    marks: str = "{audio}"
    """What the template writes for a recording."""
    template: str = CHATML
    named: Mapping[str, str] = field(default_factory=dict)
    """Special tokens that the tokenizer knows by a name."""
    further: tuple[str, ...] = ()
    """More special tokens."""

    def tokenizer(self) -> Any:
        """One token for each byte, and the special tokens."""
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        bytes_alone = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
        bytes_alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bytes_alone.decoder = decoders.ByteLevel()
        special = dict.fromkeys(["<|end|>", "<|none|>", self.audio, *self.named.values(), *self.further])
        bytes_alone.add_special_tokens(list(special))
        return t.PreTrainedTokenizerFast(
            tokenizer_object=bytes_alone,
            eos_token="<|end|>",
            pad_token="<|none|>",
            extra_special_tokens={"audio_token": self.audio, **self.named} if self.named else {},
        )

    def save(self, folder: Path) -> Path:
        """Write the checkpoint."""
        tokenizer = self.tokenizer()
        torch.manual_seed(0)
        model = self.model(tokenizer.convert_tokens_to_ids(self.audio)).eval()
        model.generation_config = t.GenerationConfig(
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
        )
        model.save_pretrained(folder)
        marks = self.marks.replace("{audio}", self.audio)
        self.processor(tokenizer, self.template.replace("AUDIO", marks)).save_pretrained(folder)
        return folder


class Voxtral(Family):
    """A family whose tokenizer and chat template are those of mistral-common."""

    def save(self, folder: Path) -> Path:
        """Write the checkpoint; the test is skipped where mistral-common is not installed."""
        pytest.importorskip("mistral_common", reason="make -f experiments/peers/Makefile voxtral has it installed")
        voxtral_files.save(folder, WHISPER, DECODER)
        return folder


FAMILIES: dict[str, Family] = {
    "audioflamingo3": Family(
        whisper_like("AudioFlamingo3", "qwen2"), with_extractor("AudioFlamingo3", whisper_extractor), "<sound>"
    ),
    "musicflamingo": Family(
        whisper_like("MusicFlamingo", "qwen2"),
        with_extractor("MusicFlamingo", whisper_extractor),
        "<sound>",
        "<|sound_bos|>{audio}<|sound_eos|>",
        further=("<|sound_bos|>", "<|sound_eos|>"),
    ),
    "glmasr": Family(
        whisper_like("GlmAsr", "llama"),
        with_extractor("GlmAsr", whisper_extractor, audio_token="<|pad|>"),
        "<|pad|>",
        "<|begin_of_audio|>{audio}<|end_of_audio|>",
        further=("<|begin_of_audio|>", "<|end_of_audio|>"),
    ),
    "voxtral": Voxtral(lambda _: None, lambda *_: None, "[AUDIO]"),
    "qwen3_asr": Family(
        whisper_like(
            "Qwen3ASR",
            "qwen3",
            kind="qwen3_asr",
            encoder={"output_dim": DECODER["hidden_size"], "downsample_hidden_size": 16, "encoder_layers": 1},
        ),
        with_extractor("Qwen3ASR", lambda: t.Qwen3ASRFeatureExtractor()),
        "<|audio_pad|>",
        "<|audio_start|>{audio}<|audio_end|>",
        template=SPOKEN_ONLY,
        named={"audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"},
    ),
    "fun_asr_nano": Family(
        whisper_like(
            "FunAsrNano",
            "qwen3",
            kind="fun_asr_nano",
            mels=80,
            encoder={"num_hidden_layers": 3, "num_timestamp_prediction_layers": 1},
            config={
                "adaptor_config": {
                    "hidden_size": 32,
                    "intermediate_size": 8,
                    "num_attention_heads": 2,
                    "num_hidden_layers": 1,
                    "projector_hidden_size": 32,
                }
            },
        ),
        with_extractor("FunAsrNano", lambda: t.FunAsrNanoFeatureExtractor()),
        "<|object_ref_start|>",
    ),
    "vibevoice_asr": Family(
        vibevoice,
        with_extractor("VibeVoiceAsr", lambda: t.VibeVoiceAcousticTokenizerFeatureExtractor()),
        "<|box_start|>",
        "<|object_ref_start|>{audio}<|object_ref_end|>\nThis is a <|AUDIO_DURATION|> seconds audio.",
        further=("<|object_ref_start|>", "<|object_ref_end|>", "<|AUDIO_DURATION|>"),
    ),
    "moss_transcribe_diarize": Family(
        whisper_like(
            "MossTranscribeDiarize", "qwen3", mels=80, encoder={"model_type": "moss_transcribe_diarize_audio"}
        ),
        with_extractor("MossTranscribeDiarize", lambda: t.MossTranscribeDiarizeFeatureExtractor()),
        "<|audio_pad|>",
        "<|audio_start|>{audio}<|audio_end|>",
        further=("<|audio_start|>", "<|audio_end|>"),
    ),
    "granite_speech": Family(
        granite("GraniteSpeech"),
        lambda tokenizer, template: t.GraniteSpeechProcessor(
            t.GraniteSpeechFeatureExtractor(), tokenizer, chat_template=template
        ),
        "<|audio|>",
        template=ROLES,
    ),
    "granite_speech_plus": Family(
        granite("GraniteSpeechPlus"),
        lambda tokenizer, template: t.GraniteSpeechProcessor(
            t.GraniteSpeechFeatureExtractor(), tokenizer, chat_template=template
        ),
        "<|audio|>",
        template=ROLES,
    ),
    "qwen2_5_omni": Family(
        omni,
        of_omni("Qwen2_5Omni"),
        "<|AUDIO|>",
        "<|audio_bos|>{audio}<|audio_eos|>",
        named=OMNI_NAMES,
    ),
    "qwen3_omni": Family(
        omni_moe,
        of_omni("Qwen3OmniMoe"),
        "<|audio_pad|>",
        "<|audio_bos|>{audio}<|audio_eos|>",
        named=OMNI_NAMES,
    ),
    "phi4_multimodal": Family(
        phi4,
        lambda tokenizer, template: t.Phi4MultimodalProcessor(
            t.Phi4MultimodalImageProcessor(), t.Phi4MultimodalFeatureExtractor(), tokenizer, chat_template=template
        ),
        "<|audio|>",
        template=NUMBERED,
        named={"image_token": "<|image|>"},
    ),
}
