"""What the folder of a released Qwen-Audio checkpoint says beside its weights: dimensions, tokenizer, base or chat."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastadasp.models.converting import ConversionError
from fastadasp.models.qwen_audio.tokenizer import AUDIO_START, read_ranks, special_tokens

ADVICE = "download it with `hf download Qwen/Qwen-Audio --local-dir FOLDER` (the chat model: Qwen/Qwen-Audio-Chat)"
CONFIG, GENERATION, RANKS = "config.json", "generation_config.json", "qwen.tiktoken"
_FIXED: Mapping[str, Any] = {
    "no_bias": True,
    "rotary_pct": 1.0,
    "scale_attn_weights": True,
    "tie_word_embeddings": False,
    "audio.avg_pool": True,
    "audio.add_audio_bos_eos_token": True,
}
"""Settings of config.json whose other values would be another architecture than the one known here."""
_NUMBERS = re.findall(
    r"\S+",
    "hidden_size intermediate_size kv_channels layer_norm_epsilon max_position_embeddings num_attention_heads "
    "num_hidden_layers rotary_emb_base seq_length use_dynamic_ntk use_logn_attn vocab_size audio.audio_start_id "
    "audio.n_ctx audio.n_head audio.n_layer audio.n_mels audio.n_state audio.output_dim",
)
_CHAT = {"raw": False, "chatml": True}


@dataclass(frozen=True)
class Released:
    """A checkpoint's folder, read and checked, but for the weights."""

    settings: Mapping[str, Any]
    """Of config.json; those of the audio encoder are called `audio.n_mels` and so on."""
    chat: bool
    ranks: Mapping[bytes, int]
    digest: str
    """Of the three files that this was read from."""

    @classmethod
    def read(cls, folder: Path) -> "Released":
        """Raises ConversionError or ModelError where a file is missing, damaged, or of another model."""
        if not folder.is_dir():
            what = "is a file, not the checkpoint's folder" if folder.exists() else "does not exist"
            raise ConversionError(f"{folder} {what}; {ADVICE}")
        config, generation = _read_json(folder / CONFIG), _read_json(folder / GENERATION)
        if config.get("model_type") != "qwen" or not isinstance(config.get("audio"), dict):
            raise ConversionError(
                f"{folder / CONFIG}: model_type is {config.get('model_type')!r}, with"
                f"{'' if 'audio' in config else 'out'} an audio encoder; expected Qwen-Audio (model_type 'qwen' and a "
                f"part 'audio'); {ADVICE}"
            )
        settings = {**config, **{f"audio.{key}": value for key, value in config["audio"].items()}}
        form = generation.get("chat_format")
        if form not in _CHAT:
            raise ConversionError(
                f"{folder / GENERATION}: chat_format is {form!r}; expected 'raw' (the base model) or 'chatml' (chat)"
            )
        ranks = read_ranks(folder / RANKS)
        if wrong := _problems(settings, ranks):
            raise ConversionError(f"{folder / CONFIG} is not one that is known here: {'; '.join(wrong)}")
        contents = b"\0".join((folder / name).read_bytes() for name in (CONFIG, GENERATION, RANKS))
        return cls(settings, _CHAT[form], ranks, hashlib.sha256(contents).hexdigest()[:16])

    @property
    def ids(self) -> Mapping[str, int]:
        """Ids of the special tokens."""
        return _ids(self.ranks)


def _ids(ranks: Mapping[bytes, int]) -> dict[str, int]:
    return {token: number for number, token in enumerate(special_tokens(), start=len(ranks))}


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ConversionError(f"{file} does not exist; {ADVICE}")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConversionError(f"{file} is damaged ({error}); download it again") from error
    if not isinstance(content, dict):
        raise ConversionError(f"{file} is damaged (it holds no JSON object); download it again")
    return content


def _problems(settings: Mapping[str, Any], ranks: Mapping[bytes, int]) -> list[str]:
    """What of config.json cannot be converted, in words."""
    if missing := [name for name in _NUMBERS if not isinstance(settings.get(name), int | float)]:
        return [f"{', '.join(missing)}: missing, or no number"]
    wrong = [
        f"{name} is {settings.get(name)!r}, expected {value!r}"
        for name, value in _FIXED.items()
        if settings.get(name) != value
    ]
    hidden, heads, channels = (settings[name] for name in ("hidden_size", "num_attention_heads", "kv_channels"))
    if heads * channels != hidden or settings["audio.output_dim"] != hidden:
        wrong.append(
            f"num_attention_heads x kv_channels ({heads} x {channels}) and audio.output_dim "
            f"({settings['audio.output_dim']}) must be hidden_size ({hidden})"
        )
    ids = _ids(ranks)
    if ids[AUDIO_START] != settings["audio.audio_start_id"] or max(ids.values()) >= settings["vocab_size"]:
        wrong.append(
            f"audio.audio_start_id is {settings['audio.audio_start_id']} of {settings['vocab_size']} ids, but with the "
            f"{len(ranks)} ranks of {RANKS} the token {AUDIO_START} has the id {ids[AUDIO_START]}"
        )
    return wrong
