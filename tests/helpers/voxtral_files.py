"""A tiny random Voxtral on disk, with a tokenizer of single bytes in mistral-common's own format."""

import base64
import json
from pathlib import Path

import torch
import transformers

AUDIO = 24
_SPECIAL = 40
_NAMED = {0: "<unk>", 1: "<s>", 2: "</s>", 3: "[INST]", 4: "[/INST]", 11: "<pad>", 17: "[SYSTEM_PROMPT]"}
_NAMED |= {18: "[/SYSTEM_PROMPT]", AUDIO: "[AUDIO]", 25: "[BEGIN_AUDIO]", 34: "[TRANSCRIBE]", 19: "[TOOL_CONTENT]"}
_NAMED |= {
    5: "[AVAILABLE_TOOLS]",
    6: "[/AVAILABLE_TOOLS]",
    7: "[TOOL_RESULTS]",
    8: "[/TOOL_RESULTS]",
    9: "[TOOL_CALLS]",
}
_NAMED |= {10: "[IMG]", 12: "[IMG_BREAK]", 13: "[IMG_END]", 14: "[PREFIX]", 15: "[MIDDLE]", 16: "[SUFFIX]"}


def save(folder: Path, encoder: dict[str, int], decoder: dict[str, int]) -> None:
    """Write the checkpoint; needs mistral-common. encoder, decoder: sizes in the configurations."""
    from transformers.tokenization_mistral_common import MistralCommonBackend

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = MistralCommonBackend(_tokenizer_file(folder))
    extractor = transformers.WhisperFeatureExtractor(feature_size=128)
    transformers.VoxtralProcessor(extractor, tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.VoxtralConfig(
        audio_config={**encoder, "num_mel_bins": 128, "intermediate_size": 128},  # four frames are stacked
        text_config={**decoder, "model_type": "llama", "head_dim": 8},
        audio_token_id=AUDIO,
    )
    transformers.VoxtralForConditionalGeneration(config).eval().save_pretrained(folder)


def _tokenizer_file(folder: Path) -> Path:
    letters = [{"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode(), "token_str": None} for i in range(256)]
    special = [{"rank": i, "token_str": _NAMED.get(i, f"<SPECIAL_{i}>"), "is_control": True} for i in range(_SPECIAL)]
    config = {
        "pattern": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+",
        "num_vocab_tokens": 256,
        "default_vocab_size": 256 + _SPECIAL,
        "default_num_special_tokens": _SPECIAL,
        "version": "v7",
    }
    spectrogram = {"num_mel_bins": 128, "hop_length": 160, "window_size": 400}
    audio = {"sampling_rate": 16000, "frame_rate": 12.5, "audio_encoding_config": spectrogram, "chunk_length_s": 30.0}
    path = folder / "tekken.json"
    path.write_text(json.dumps({"config": config, "vocab": letters, "special_tokens": special, "audio": audio}))
    return path
