"""Other people's checkpoints, looked over before transformers uses them: what is said names the file and the entry."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from fastadasp.files.json_text import read_json
from fastadasp.files.text import FileError, short, shown

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, ProcessorMixin

INDEX = "model.safetensors.index.json"
SIZES = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
_SHARD = re.compile(r"[\w.-]+\.safetensors")


def check_index(source: str, revision: str | None) -> None:
    """FileError where the list of a checkpoint's weight files names any but safetensors files beside it.

    Others would be handed to Python's unpickler, or lie outside of the checkpoint.
    """
    from transformers.utils import cached_file

    found = cached_file(source, INDEX, revision=revision, _raise_exceptions_for_missing_entries=False)
    if found is None:
        return
    weights = read_json(Path(found)).get("weight_map")
    if not isinstance(weights, dict) or not weights:
        raise FileError(f"{INDEX} has no weight_map that names the file of each weight")
    for weight, file in weights.items():
        if not isinstance(file, str) or not _SHARD.fullmatch(file) or PurePath(file).name != file:
            raise FileError(
                f"{INDEX} names {shown(file)} for {shown(weight)}; only .safetensors files of the same folder are read"
            )


def check_parts(source: str, revision: str | None, config: "PreTrainedConfig") -> None:
    """FileError where config.json leaves out, or empties, the description of a model inside the model.

    transformers would take the sizes of its own default there, mostly those of a model with 7 billion weights.
    """
    from transformers.utils import cached_file

    found = cached_file(source, "config.json", revision=revision, _raise_exceptions_for_missing_entries=False)
    described = read_json(Path(found)) if found is not None else None
    if not isinstance(described, dict):
        return
    for part in type(config).sub_configs:
        empty = part in described and not described[part]
        if empty or (part == "text_config" and part not in described):
            state = f"is {shown(described[part])}" if empty else "is missing"
            raise FileError(
                f"config.json: {part} {state}; it must describe that part of the model, its sizes above all"
            )


def check_decoder(config: "PreTrainedConfig") -> None:
    """FileError where config.json lacks a decoder with dimensions."""
    text = config.get_text_config()
    for name in SIZES:
        _positive(f"config.json: {name} of the decoder", getattr(text, name, None))
    _positive("config.json: vocab_size", getattr(text, "vocab_size", None))
    if text.num_attention_heads % text.num_key_value_heads:
        raise FileError(
            f"config.json: num_attention_heads={text.num_attention_heads} is no multiple of num_key_value_heads="
            f"{text.num_key_value_heads}"
        )


def check_config(config: "PreTrainedConfig") -> None:
    """FileError where config.json lacks what every SpeechLM has: an audio token, and a decoder with dimensions."""
    check_decoder(config)
    text, token = config.get_text_config(), getattr(config, "audio_token_id", None)
    if type(token) is not int or not 0 <= token < text.vocab_size:
        raise FileError(
            f"config.json: audio_token_id must be the id of the token that stands for audio, from 0 to "
            f"{text.vocab_size - 1}, got {shown(token)}"
        )


def check_processor(processor: "ProcessorMixin", config: "PreTrainedConfig") -> None:
    """FileError where the processor does not fit the model, or lacks what a prompt is made with."""
    tokenizer, extractor = getattr(processor, "tokenizer", None), getattr(processor, "feature_extractor", None)
    if tokenizer is None or extractor is None or not getattr(processor, "audio_token", None):
        raise FileError(
            f"its processor ({type(processor).__name__}) must have a tokenizer, a feature extractor and an audio_token"
        )
    _positive("the feature extractor's sampling_rate", extractor.sampling_rate)
    ids = tokenizer.convert_tokens_to_ids(processor.audio_token)
    if ids != config.audio_token_id:
        raise FileError(
            f"the tokenizer gives {shown(processor.audio_token)} the id {shown(ids)}, but config.json says "
            f"audio_token_id={config.audio_token_id}"
        )
    check_tokenizer(processor)
    bands = getattr(getattr(config, "audio_config", None), "num_mel_bins", None)
    if bands is not None and bands != getattr(extractor, "feature_size", bands):
        raise FileError(
            f"the feature extractor gives {extractor.feature_size} mel bands, but config.json's encoder takes {bands}"
        )


def check_tokenizer(processor: "ProcessorMixin") -> None:
    """FileError where a processor has no tokenizer, or one that cannot end or pad."""
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None:
        raise FileError(f"its processor ({type(processor).__name__}) has no tokenizer")
    if tokenizer.eos_token_id is None and tokenizer.pad_token_id is None:
        raise FileError("its tokenizer has neither an end-of-sequence nor a padding token")


def check_eos(eos: object) -> None:
    """FileError for an end-of-sequence token of generation_config.json that is no id or list of ids."""
    ids: Sequence[Any] = eos if isinstance(eos, list) else [] if eos is None else [eos]
    if not all(type(one) is int and one >= 0 for one in ids):
        raise FileError(f"generation_config.json: eos_token_id must be an id or a list of ids, got {shown(eos)}")


def check_loaded(report: dict[str, Any]) -> None:
    """FileError where weights are missing or of other sizes: transformers would fill them with random numbers."""
    if missing := sorted(report["missing_keys"]):
        raise FileError(f"the checkpoint lacks {len(missing)} weights: {_first(missing)}")
    if unlike := sorted(report["mismatched_keys"]):
        told = [f"{name} is {tuple(own)}, needed {tuple(needed)}" for name, own, needed in unlike]
        raise FileError(f"{len(unlike)} weights are not of the sizes that config.json says: {_first(told, 3)}")


def model_class(config: "PreTrainedConfig") -> "type[PreTrainedModel]":
    """The transformers class that config.json names; FileError where there is none of that name."""
    import transformers

    names = config.architectures
    name = names[0] if isinstance(names, list) and names else None
    found = getattr(transformers, name, None) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)):
        raise FileError(f"config.json: transformers {transformers.__version__} has no model class {shown(name)}")
    return found


def check_prompt(prompt: str, placeholder: str, clips: int) -> None:
    """FileError where a chat template does not write one placeholder for each clip of audio."""
    written = prompt.count(placeholder)
    if written != clips:
        raise FileError(
            f"the chat template writes {written} times {placeholder}, which stands for audio, where the prompt has "
            f"{clips} clips; it began {shown(short(prompt))}"
        )


def _positive(what: str, value: object) -> None:
    if type(value) is not int or value < 1:
        raise FileError(f"{what} must be a whole number from 1, got {shown(value)}")


def _first(items: Sequence[str], most: int = 5) -> str:
    return ", ".join(items[:most]) + (", ..." if len(items) > most else "")
