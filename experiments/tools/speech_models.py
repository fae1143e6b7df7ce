"""Sizes of speech language models, and the table of docs/models.md: `python -m experiments.tools.speech_models`.

Each class of transformers is built on the meta device, without weights, from its default configuration. Where that is
not the published decoder's, DECODERS has the dimensions by which the decoder is known; they were not read from a
checkpoint. Writes experiments/results/speech_models/sizes.jsonl and the table. Weights count 2 bytes each. A minute of
audio costs keys and values of 2 bytes in every layer for each of its audio tokens, without a reduction.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import transformers

from experiments.tools.documents import between
from fastadasp.config.paths import REPOSITORY

RESULTS = REPOSITORY / "experiments" / "results" / "speech_models" / "sizes.jsonl"
DOCUMENT = REPOSITORY / "docs" / "models.md"


@dataclass(frozen=True)
class Row:
    """A line of the table that is not computed."""

    options: tuple[str, ...]
    """Of `conf/model`."""
    kind: str
    """A name of `transformers`, without `Config`, or of BUILT."""
    rate: float
    """Audio tokens a second, as the tests of the families measure them."""
    licence: str
    """Of the weights, as last known."""
    run: str
    """What was run here."""
    remark: str = ""
    """Behind the class."""
    rate_remark: str = ""


TINY = "tiny random instance"
NVIDIA = "NVIDIA OneWay, non-commercial"
ROWS = (
    Row(("tiny",), "Bundled", 25.0, "as this repository", "the weights themselves, everything"),
    Row(
        ("wavllm",),
        "WavLLM",
        12.5,
        "that of LLaMA 2 for the decoder",
        "scaled-down file, converted; keys and sizes in full",
        ", of this package",
    ),
    Row(
        ("qwen_audio", "qwen_audio_chat"),
        "QwenAudio",
        25.0,
        "the authors' own",
        "scaled-down files, converted; keys and sizes in full",
        ", converted",
    ),
    Row(("qwen2_audio_7b", "qwen2_audio_7b_instruct"), "Qwen2Audio", 25.0, "Apache-2.0", TINY),
    Row(("audio_flamingo_3",), "AudioFlamingo3", 25.0, NVIDIA, TINY),
    Row(("music_flamingo",), "MusicFlamingo", 25.0, NVIDIA, TINY),
    Row(("glm_asr_nano",), "GlmAsr", 12.5, "MIT", TINY),
    Row(
        ("voxtral",),
        "Voxtral",
        12.5,
        "Apache-2.0",
        f"{TINY}, with mistral-common",
        rate_remark=", whole windows of 30 s",
    ),
    Row(("qwen3_asr",), "Qwen3ASR", 13.0, "Apache-2.0", TINY),
    Row(("fun_asr_nano",), "FunAsrNano", 100 / 6, "model licence of FunASR", TINY),
    Row(("vibevoice_asr",), "VibeVoiceAsr", 7.5, "MIT", TINY),
    Row(("moss_transcribe_diarize",), "MossTranscribeDiarize", 12.5, "Apache-2.0", TINY),
    Row(("granite_speech",), "GraniteSpeech", 10.0, "Apache-2.0", f"{TINY}, without its LoRA weights"),
    Row(("granite_speech_plus",), "GraniteSpeechPlus", 10.0, "Apache-2.0", TINY),
    Row(("qwen2_5_omni",), "Qwen2_5OmniThinker", 25.0, "Apache-2.0", TINY),
    Row(("qwen3_omni",), "Qwen3OmniMoeThinker", 13.0, "Apache-2.0", TINY),
    Row(("phi4_multimodal",), "Phi4Multimodal", 12.5, "MIT", f"{TINY}, without its LoRA weights"),
)
QWEN2_5_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}
QWEN_7B = {"intermediate_size": 11008, "vocab_size": 155947}
GRANITE_2B = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 49160,
    "tie_word_embeddings": True,
}
DECODERS: dict[str, dict[str, int | bool]] = {
    "Qwen2Audio": {"intermediate_size": 11008, "vocab_size": 156032},
    "AudioFlamingo3": QWEN2_5_7B,
    "MusicFlamingo": QWEN2_5_7B,
    "VibeVoiceAsr": QWEN2_5_7B,
    "Qwen2_5OmniThinker": QWEN2_5_7B,
    "GraniteSpeech": GRANITE_2B,
    "GraniteSpeechPlus": GRANITE_2B,
    "Qwen3OmniMoeThinker": {
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "vocab_size": 152064,
    },
}
"""Of decoders whose class has other defaults."""


VISION = {"Qwen2_5OmniThinker": {"hidden_size": 1280}}
"""Of picture encoders whose class has other defaults."""


@dataclass(frozen=True)
class Size:
    """What a model needs."""

    kind: str
    model: str
    decoder: str
    parameters_b: float
    weights_gib: float
    cache_mib_per_minute: float


def bundled() -> Any:
    """The configuration of the model that comes with the package."""
    return transformers.AutoConfig.from_pretrained(REPOSITORY / "fastadasp" / "assets" / "tiny")


def wavllm() -> Any:
    """WavLLM's configuration, whose defaults are the published sizes."""
    from fastadasp.models.wavllm.configuration import WavLLMConfig

    return WavLLMConfig()


def qwen_audio() -> Any:
    """The published sizes of Qwen-Audio after conversion."""
    return transformers.Qwen2AudioConfig(
        audio_config={"num_mel_bins": 80},
        text_config={**transformers.Qwen2AudioConfig().text_config.to_dict(), **QWEN_7B},
    )


def of_transformers(kind: str) -> Any:
    """The configuration of a class of transformers, with the known dimensions where its defaults are others."""
    config = getattr(transformers, f"{kind}Config")()
    if kind in DECODERS:
        text = config.get_text_config()
        known = {key: value for key, value in text.to_dict().items() if key not in ("layer_types", "mlp_only_layers")}
        config.text_config = type(text)(**{**known, **DECODERS[kind]})
    for name, value in VISION.get(kind, {}).items():
        setattr(config.vision_config, name, value)
    return config


BUILT: dict[str, Callable[[], Any]] = {"Bundled": bundled, "WavLLM": wavllm, "QwenAudio": qwen_audio}
"""Configurations that are no defaults of transformers."""


def class_of(kind: str) -> Any:
    """The class of a model."""
    if kind == "WavLLM":
        from fastadasp.models.wavllm.modeling import WavLLMForConditionalGeneration

        return WavLLMForConditionalGeneration
    name = "Qwen2Audio" if kind in BUILT else kind
    found = (getattr(transformers, f"{name}For{task}", None) for task in ("ConditionalGeneration", "CausalLM"))
    return next(one for one in found if one is not None)


def size(row: Row) -> Size:
    """Of a row's model, built on the meta device."""
    config = BUILT[row.kind]() if row.kind in BUILT else of_transformers(row.kind)
    kind = class_of(row.kind)
    with torch.device("meta"):
        weights = sum(weight.numel() for weight in kind(config).parameters())
    text = config.get_text_config()
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    per_token = 2 * 2 * text.num_hidden_layers * text.num_key_value_heads * head
    return Size(
        row.kind,
        kind.__name__,
        f"{text.model_type}, {text.num_hidden_layers} x {text.hidden_size}",
        round(weights / 1e9, 2),
        round(2 * weights / 2**30, 1 if weights > 1e9 else 2),
        round(60 * row.rate * per_token / 2**20, 1),
    )


def table(sizes: Mapping[str, Size]) -> str:
    """The table in Markdown; sizes: by `Row.kind`."""
    head = ["`model=`", "class", "audio tokens a second", "decoder: layers x width", "parameters, billions", "weights"]
    head += ["cache per minute", "licence of the weights", "run here"]
    lines = [head, ["---"] * len(head)]
    for row in ROWS:
        found = sizes[row.kind]
        lines.append(
            [
                ", ".join(f"`{option}`" for option in row.options),
                f"`{found.model}`{row.remark}",
                f"{round(row.rate, 1):g}{row.rate_remark}",
                found.decoder,
                f"{found.parameters_b:g}",
                f"{found.weights_gib:g} GiB",
                f"{found.cache_mib_per_minute:g} MiB",
                row.licence,
                row.run,
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def stored() -> dict[str, Size]:
    """The sizes that were computed last, by `Row.kind`."""
    found = (Size(**json.loads(line)) for line in RESULTS.read_text(encoding="utf-8").splitlines())
    return {size.kind: size for size in found}


def main() -> None:
    """Compute all sizes, keep them and write the table."""
    transformers.logging.set_verbosity_error()
    sizes = {row.kind: size(row) for row in ROWS}
    RESULTS.write_text("".join(json.dumps(asdict(one)) + "\n" for one in sizes.values()), encoding="utf-8")
    DOCUMENT.write_text(between(DOCUMENT.read_text(encoding="utf-8"), "models", table(sizes)), encoding="utf-8")


if __name__ == "__main__":
    main()
