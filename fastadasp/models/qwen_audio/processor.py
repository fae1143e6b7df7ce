"""Qwen-Audio's prompts and features: what the decoder and the audio encoder read.

C clips, M mel channels, F mel frames (3000, 30 s).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastadasp.models.qwen_audio.tokenizer import AUDIO_END, AUDIO_START, AUDIO_TOKEN

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast, Qwen2AudioProcessor

    from fastadasp.data.audio import Samples

_CLIP = f"{AUDIO_START}{AUDIO_TOKEN}{AUDIO_END}"
_IS_AUDIO = "part.type == 'audio' or 'audio' in part or 'audio_url' in part"
BASE_TEMPLATE = (
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if " + _IS_AUDIO + " %}" + _CLIP + "{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}"
)
"""The base model knows no turns: clips, then text or task tags."""
CHAT_TEMPLATE = (
    "{% set clips = namespace(count=0) %}{% for message in messages %}"
    "{% if loop.first and message.role != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message.role }}\n{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if " + _IS_AUDIO + " %}{% set clips.count = clips.count + 1 %}"
    "Audio {{ clips.count }}:" + _CLIP + "\n{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML, with clips numbered over the whole conversation."""


def build_processor(tokenizer: "PreTrainedTokenizerFast", *, chat: bool, mels: int = 80) -> "Qwen2AudioProcessor":
    """transformers' processor of Qwen2-Audio with this model's tokens, prompts and mel channels."""
    from transformers import Qwen2AudioProcessor, WhisperFeatureExtractor

    return Qwen2AudioProcessor(
        feature_extractor=WhisperFeatureExtractor(feature_size=mels, return_attention_mask=True),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE if chat else BASE_TEMPLATE,
        audio_token=AUDIO_TOKEN,
        audio_bos_token=AUDIO_START,
        audio_eos_token=AUDIO_END,
    )


def clip_features(extractor: Any, clips: Sequence["Samples"]) -> tuple["Tensor", "Tensor", list[int]]:
    """Log-mel features (C, M, F) float32 and their mask (C, F) int64 of 16 kHz clips, and each one's audio tokens.

    Two things differ from Qwen2-Audio: a frame that a clip only begins is not counted, and behind the last frame that
    the convolutions use there is nothing, where Qwen2-Audio has the spectrum of silence.
    """
    import torch

    spectra = extractor(
        list(clips), sampling_rate=extractor.sampling_rate, padding="max_length", return_tensors="pt"
    ).input_features
    frames_C = torch.tensor([min(len(clip) // extractor.hop_length, spectra.shape[-1]) for clip in clips])
    states_C = (frames_C - 1).div(2, rounding_mode="floor") + 1
    frame_F = torch.arange(spectra.shape[-1])
    features = spectra.masked_fill((frame_F >= 2 * states_C[:, None])[:, None], 0.0)
    return features, (frame_F < frames_C[:, None]).long(), (states_C // 2).tolist()


def expanded(prompt: str, tokens: Sequence[int]) -> str:
    """`prompt` with as many copies of each audio placeholder as its clip has tokens."""
    first, *rest = prompt.split(AUDIO_TOKEN)
    return first + "".join(AUDIO_TOKEN * count + part for count, part in zip(tokens, rest, strict=True))
