"""The parts of a speech language model of transformers: its configuration, class, processor and feature extractor."""

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastadasp.files.text import FileError, shown

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, ProcessorMixin

NO_AUDIO_TOKENS = {
    "voxtral_realtime": "it adds the embedding of each audio frame to that of one text token",
    "kyutai_speech_to_text": "it sums the embeddings of a text token and of the audio's codes at each step",
}
"""Families in which audio has no positions of its own, with the reason."""
_AUDIO_ARGUMENTS = ("audio", "audios", "raw_speech", "speech")
_LIBRARIES = {"Torchvision": "torchvision", "torchvision": "torchvision", "mistral": "mistral-common[audio]"}
"""By a word of transformers' complaint, the package that is missing."""


def speech_config(config: "PreTrainedConfig") -> "PreTrainedConfig":
    """The configuration of what reads audio and writes text: `config`, or a part of it beside parts that speak.

    FileError for a family in which token reduction cannot apply, with the reason.
    """
    if config.model_type in NO_AUDIO_TOKENS:
        raise FileError(
            f"token reduction cannot apply to {config.model_type}: {NO_AUDIO_TOKENS[config.model_type]}, so there are "
            "no audio tokens of which some could go"
        )
    if getattr(config, "text_config", None) is not None:
        return config
    inside = [part for part in vars(config).values() if _reads_audio(part) and _auto_class(part) is not None]
    return inside[0] if len(inside) == 1 else config


def _reads_audio(part: object) -> bool:
    return getattr(part, "audio_config", None) is not None and getattr(part, "text_config", None) is not None


def speech_class(config: "PreTrainedConfig") -> "type[PreTrainedModel]":
    """The class that config.json names, or that transformers pairs with such a configuration; FileError for none."""
    import transformers

    names = config.architectures
    name = names[0] if isinstance(names, list) and names else None
    found = getattr(transformers, name, None) if isinstance(name, str) else None
    if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
        return found
    paired = _auto_class(config)
    if paired is None:
        raise FileError(f"config.json: transformers {transformers.__version__} has no model class {shown(name)}")
    return paired


def _auto_class(config: Any) -> "type[PreTrainedModel] | None":
    """What transformers, or a user's `register()`, pairs with a configuration among models that write text."""
    import transformers

    for name in ("AutoModelForMultimodalLM", "AutoModelForImageTextToText", "AutoModelForCausalLM"):
        mapping = getattr(transformers, name)._model_mapping
        if type(config) in mapping:
            found = mapping[type(config)]
            return found if isinstance(found, type) else found[0]
    thinker = f"{type(config).__name__.removesuffix('Config')}ForConditionalGeneration"
    return getattr(transformers, thinker, None)


def load_processor(source: str, revision: str | None) -> "ProcessorMixin":
    """The checkpoint's processor; FileError where a library is missing that it needs, with how to install that."""
    from transformers import AutoProcessor

    try:
        return AutoProcessor.from_pretrained(source, revision=revision, trust_remote_code=False)
    except ImportError as error:
        needed = sorted({package for name, package in _LIBRARIES.items() if name in str(error)})
        if not needed:
            raise
        raise FileError(
            f"its processor also takes pictures or other things, and that needs {' and '.join(needed)}: "
            f"pip install {' '.join(needed)}"
        ) from error


def extractor_of(processor: Any) -> Any:
    """What turns samples into features in a processor; FileError where there is none."""
    known = (getattr(processor, name, None) for name in ("feature_extractor", "audio_processor"))
    for part in (*known, *vars(processor).values()):
        rate = getattr(part, "sampling_rate", None)
        if callable(part) and rate is not None:
            if type(rate) is not int or rate < 1:
                raise FileError(
                    f"the feature extractor's sampling_rate must be a whole number from 1, got {shown(rate)}"
                )
            return part
    raise FileError(
        f"its processor ({type(processor).__name__}) has no feature extractor with a sampling_rate: it takes no audio"
    )


def call(processor: Any, prompts: list[str], audio: list[Any], rate: int) -> Any:
    """A left-padded batch from a processor; special tokens are those that the prompts hold."""
    signature = inspect.signature(type(processor).__call__).parameters
    named = next((name for name in _AUDIO_ARGUMENTS if name in signature), _AUDIO_ARGUMENTS[0])
    arguments = {
        "text": prompts,
        named: audio,
        "sampling_rate": rate,
        "text_kwargs": {"padding": True, "padding_side": "left", "add_special_tokens": False},
        "return_tensors": "pt",
    }
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.values()):
        arguments = {name: value for name, value in arguments.items() if name in signature}
    return processor(**arguments)


def _ids_named(config: Any, processor: Any) -> Iterator[int]:
    """The ids by which configuration and processor name their audio token, if they do."""
    holders = (config, getattr(config, "audio_config", None), processor, getattr(processor, "tokenizer", None))
    for holder in holders:
        for name in ("audio_token_id", "audio_token_index"):
            found = getattr(holder, name, None)
            if type(found) is int:
                yield found


def call_with_chats(processor: Any, chats: list[list[dict[str, Any]]], audio: list[Any], rate: int) -> Any:
    """A left-padded batch from a processor that reads whole chats; their parts of type `audio` get `audio` in order."""
    left = iter(audio)
    filled = [
        [{**turn, "content": [_filled(part, left, rate) for part in turn["content"]]} for turn in chat]
        for chat in chats
    ]
    return processor.apply_chat_template(
        filled,
        tokenize=True,
        return_dict=True,
        processor_kwargs={"text_kwargs": {"padding": True, "padding_side": "left"}},
    )


def _filled(part: Mapping[str, Any], audio: Iterator[Any], rate: int) -> dict[str, Any]:
    """The part with the samples as a file of its own, in letters."""
    import base64
    import io

    import soundfile

    if part["type"] != "audio":
        return dict(part)
    file = io.BytesIO()
    soundfile.write(file, next(audio), rate, format="WAV", subtype="FLOAT")
    return {"type": "audio", "base64": base64.b64encode(file.getvalue()).decode()}


def known_token(config: Any, processor: Any) -> str:
    """The text of the audio token as processor, tokenizer or configuration name it; empty where none does."""
    tokenizer = processor.tokenizer
    named: list[Any] = [getattr(part, "audio_token", None) for part in (processor, tokenizer)]
    named += [tokenizer.convert_ids_to_tokens(one) for one in _ids_named(config, processor) if one < len(tokenizer)]
    return next((name for name in named if isinstance(name, str)), "")


def reads_embeddings(model: Any) -> bool:
    """Whether transformers' `generate()` can go on from the embeddings of a whole prompt."""
    from fastadasp.decoding.prefill import has_several_positions
    from fastadasp.engine.decoder import find_decoder

    takes_them = "inputs_embeds" in inspect.signature(model.prepare_inputs_for_generation).parameters
    return (
        not has_several_positions(model)
        and not getattr(model, "_hf_peft_config_loaded", False)
        and "inputs_embeds" in inspect.signature(type(find_decoder(model)).forward).parameters
        and (takes_them or model.main_input_name != "input_ids")  # transformers asks no more than that
    )
