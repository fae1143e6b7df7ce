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

DECODER = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
WHISPER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
EIGHT_CHANNELS = {**DECODER, "head_dim": 8}
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


def whisper_like(name: str, decoder: str, mels: int = 128, **settings: Any) -> Callable[[int], Any]:
    """A model of an encoder shaped like Whisper's and a decoder of a known type."""

    def build(audio: int) -> Any:
        encoder = {
            "model_type": f"{settings.get('kind', name.lower())}_encoder",
            **WHISPER,
            "num_mel_bins": mels,
            **settings.get("encoder", {}),
        }
        text = {
            **(EIGHT_CHANNELS if decoder == "qwen3" else DECODER),
            "model_type": decoder,
            **settings.get("text", {}),
        }
        config = getattr(t, f"{name}Config")(
            audio_config=encoder, text_config=text, audio_token_id=audio, **settings.get("config", {})
        )
        return getattr(t, f"{name}ForConditionalGeneration")(config)

    return build


def with_extractor(name: str, extractor: Callable[[], Any], **settings: Any) -> Callable[[Any, str], Any]:
    """A processor of a feature extractor and a tokenizer."""

    def build(tokenizer: Any, template: str) -> Any:
        return getattr(t, f"{name}Processor")(extractor(), tokenizer, chat_template=template, **settings)

    return build


def _whisper_extractor() -> Any:
    return t.WhisperFeatureExtractor(feature_size=128)


def _vibevoice(audio: int) -> Any:
    tower = {"num_filters": 4, "downsampling_ratios": [8, 8, 50], "depths": [1, 1, 1, 1]}
    return t.VibeVoiceAsrForConditionalGeneration(
        t.VibeVoiceAsrConfig(
            acoustic_tokenizer_encoder_config={**tower, "hidden_size": 16},
            semantic_tokenizer_encoder_config={**tower, "hidden_size": 24},
            text_config={**DECODER, "model_type": "qwen2"},
            audio_token_id=audio,
        )
    )


def _granite(name: str) -> Callable[[int], Any]:
    def build(audio: int) -> Any:
        encoder = {"input_dim": 160, "num_layers": 2, "hidden_dim": 32, "feedforward_mult": 2, "num_heads": 2}
        encoder |= {"dim_head": 16, "output_dim": 12, "context_size": 50, "max_pos_emb": 64}
        projector = {"model_type": "blip_2_qformer", "hidden_size": 32, "num_hidden_layers": 1}
        projector |= {"num_attention_heads": 2, "intermediate_size": 48, "encoder_hidden_size": 32}
        config = getattr(t, f"{name}Config")(
            encoder_config=encoder,
            projector_config=projector,
            text_config={**DECODER, "model_type": "granite", "residual_multiplier": 0.22, "attention_multiplier": 0.3},
            audio_token_index=audio,
            has_lora_adapter=False,
        )
        return getattr(t, f"{name}ForConditionalGeneration")(config)

    return build


def _omni(audio: int) -> Any:
    """The thinker, saved as a part of the whole model, as published checkpoints hold it."""
    encoder = {"num_mel_bins": 128, "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2}
    encoder |= {"encoder_ffn_dim": 48, "output_dim": 32, "n_window": 50}
    pictures = {"depth": 1, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 32}
    rotary = {"mrope_section": [2, 1, 1], "rope_type": "default", "rope_theta": 10000.0}
    return t.Qwen2_5OmniThinkerForConditionalGeneration(
        t.Qwen2_5OmniThinkerConfig(
            audio_config=encoder,
            vision_config=pictures,
            text_config={**DECODER, "rope_parameters": rotary},
            audio_token_index=audio,
            **_ids_of_pictures(),
        )
    )


def _omni_moe(audio: int) -> Any:
    encoder = {"num_mel_bins": 128, "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2}
    encoder |= {"encoder_ffn_dim": 48, "output_dim": 32, "n_window": 50, "downsample_hidden_size": 16}
    pictures = {"depth": 1, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 32}
    pictures |= {"deepstack_visual_indexes": [0]}
    rotary = {"mrope_section": [2, 1, 1], "rope_type": "default", "rope_theta": 10000.0, "mrope_interleaved": True}
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "decoder_sparse_step": 1}
    return t.Qwen3OmniMoeThinkerForConditionalGeneration(
        t.Qwen3OmniMoeThinkerConfig(
            audio_config=encoder,
            vision_config=pictures,
            text_config={**EIGHT_CHANNELS, **experts, "rope_parameters": rotary},
            audio_token_id=audio,
            **_ids_of_pictures(),
        )
    )


def _ids_of_pictures() -> dict[str, int]:
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "audio_start_token_id")
    return {name: 300 + place for place, name in enumerate(names)}


def _phi4(audio: int) -> Any:
    encoder = {"hidden_size": 32, "intermediate_size": 48, "num_blocks": 1, "num_attention_heads": 2}
    encoder |= {"nemo_conv_channels": 32, "ext_pw_out_channel": 32, "depthwise_separable_out_channel": 32}
    encoder |= {"audio_token_id": audio, "downsample_rate": 1, "bias_max_distance": 100, "conv_channels": 32}
    pictures = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    return t.Phi4MultimodalForCausalLM(
        t.Phi4MultimodalConfig(
            **DECODER,
            audio_config=encoder,
            vision_config={**pictures, "image_size": 28, "patch_size": 14, "crop_size": 28, "image_token_id": 300},
            pad_token_id=257,
            bos_token_id=256,
            eos_token_id=256,
        )
    )


def _of_omni(name: str) -> Callable[[Any, str], Any]:
    return lambda tokenizer, template: getattr(t, f"{name}Processor")(
        t.Qwen2VLImageProcessor(),
        t.Qwen2VLVideoProcessor(),
        t.WhisperFeatureExtractor(feature_size=128),
        tokenizer,
        chat_template=template,
    )


_OMNI_NAMES = {
    "image_token": "<|IMAGE|>",
    "video_token": "<|VIDEO|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
}

FAMILIES: dict[str, Family] = {
    "audioflamingo3": Family(
        whisper_like("AudioFlamingo3", "qwen2"), with_extractor("AudioFlamingo3", _whisper_extractor), "<sound>"
    ),
    "musicflamingo": Family(
        whisper_like("MusicFlamingo", "qwen2"),
        with_extractor("MusicFlamingo", _whisper_extractor),
        "<sound>",
        "<|sound_bos|>{audio}<|sound_eos|>",
        further=("<|sound_bos|>", "<|sound_eos|>"),
    ),
    "glmasr": Family(
        whisper_like("GlmAsr", "llama"),
        with_extractor("GlmAsr", _whisper_extractor, audio_token="<|pad|>"),
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
            encoder={"output_dim": 32, "downsample_hidden_size": 16, "encoder_layers": 1},
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
        _vibevoice,
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
        _granite("GraniteSpeech"),
        lambda tokenizer, template: t.GraniteSpeechProcessor(
            t.GraniteSpeechFeatureExtractor(), tokenizer, chat_template=template
        ),
        "<|audio|>",
        template=ROLES,
    ),
    "granite_speech_plus": Family(
        _granite("GraniteSpeechPlus"),
        lambda tokenizer, template: t.GraniteSpeechProcessor(
            t.GraniteSpeechFeatureExtractor(), tokenizer, chat_template=template
        ),
        "<|audio|>",
        template=ROLES,
    ),
    "qwen2_5_omni": Family(
        _omni,
        _of_omni("Qwen2_5Omni"),
        "<|AUDIO|>",
        "<|audio_bos|>{audio}<|audio_eos|>",
        named=_OMNI_NAMES,
    ),
    "qwen3_omni": Family(
        _omni_moe,
        _of_omni("Qwen3OmniMoe"),
        "<|audio_pad|>",
        "<|audio_bos|>{audio}<|audio_eos|>",
        named=_OMNI_NAMES,
    ),
    "phi4_multimodal": Family(
        _phi4,
        lambda tokenizer, template: t.Phi4MultimodalProcessor(
            t.Phi4MultimodalImageProcessor(), t.Phi4MultimodalFeatureExtractor(), tokenizer, chat_template=template
        ),
        "<|audio|>",
        template=NUMBERED,
        named={"image_token": "<|image|>"},
    ),
}
