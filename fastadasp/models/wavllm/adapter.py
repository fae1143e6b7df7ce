"""WavLLM behind the framework's interface: what an example becomes, and how the prompt is read."""

from abc import ABC
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.models.embedding import decoder_arguments
from fastadasp.models.pretrained import ModelError, Pretrained
from fastadasp.models.speechlm import SpeechLM
from fastadasp.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedConfig, PreTrainedModel, ProcessorMixin

    from fastadasp.models.placing import Spread
    from fastadasp.tasks.base import Example

Prefill = Enum("Prefill", ["whole", "released"])
"""How the decoder reads a prompt. `whole`: at once; `released`: as the released code does, the audio and what is before
it at once, then the instruction token by token. A reduction method sees the instruction in the first case alone."""


@dataclass(frozen=True)
class WavLLMFamily(SpeechLM, ABC):
    """Prompts and recordings of `WavLLMForConditionalGeneration`, wherever its weights come from."""

    prefill: Prefill = Prefill.whole
    """Whether a reduction method sees the instruction while the prompt is read."""
    gap_seconds: float = 0.0
    """A prompt holds one recording: several files of an example are joined in order, with this much silence between."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.gap_seconds <= self.max_seconds:
            raise ConfigError(
                f"model.gap_seconds must lie in [0, {self.max_seconds:g}] (model.max_seconds), got {self.gap_seconds}"
            )

    def _prefilled(self, config: "PreTrainedConfig") -> "PreTrainedConfig":
        """`config` with this adapter's way of reading prompts."""
        config.prefill = self.prefill.name
        return config

    def prepare(self, example: "Example") -> Mapping[str, "Tensor"]:
        """One prompt's inputs, without the batch's dimension; on the CPU."""
        import numpy as np

        from fastadasp.data.audio import SAMPLE_RATE, AudioError

        gap = np.zeros(round(self.gap_seconds * SAMPLE_RATE), np.float32)
        joined = [part for samples in self.read(example) for part in (gap, samples)][1:]
        prompt: Mapping[str, Tensor] = self.processor.prompt(
            self.wording(example), np.concatenate(joined), sampling_rate=SAMPLE_RATE
        )
        tokens, positions = len(prompt["input_ids"]), self.config.get_text_config().max_position_embeddings
        if tokens > positions:
            raise AudioError(f"example {example.id}: its prompt has {tokens} tokens, the model's limit is {positions}")
        return prompt

    @property
    def reserved(self) -> tuple[str, ...]:
        """Special tokens that no instruction may hold: none, since an instruction is always read as plain text."""
        return ()

    def prompt_tokens(self, prepared: Mapping[str, "Tensor"]) -> tuple[int, int]:
        """Audio tokens and all other tokens of one prompt; needs no weights."""
        return self.count(prepared["input_ids"])

    def batch_key(self, prepared: Mapping[str, "Tensor"]) -> Hashable:
        """Prompts may be encoded together where this is equal; as it stands, any may.

        Instructions that are read token by token must have equal lengths within a batch.
        """
        return int(prepared["instruction_tokens"]) if self.prefill is Prefill.released else None

    def encode(self, prepared: Sequence[Mapping[str, "Tensor"]]) -> "BatchFeature":
        """A left-padded batch of prompts with features, on the model's device."""
        from fastadasp.engine.device import input_device

        return to_device(self.processor.collate(prepared), input_device(self.model))

    def beam_prompt(self, inputs: "BatchFeature") -> Mapping[str, "Tensor"]:
        """`inputs` with the audio read already, once for all beams, and a row of every tensor for each prompt.

        The instruction is read once for all beams, too.
        """
        arguments = decoder_arguments(self.model, inputs)
        prompt = {name: inputs[name] for name in ("input_ids", "attention_mask", "instruction_tokens")}
        return {**prompt, **{name: arguments[name] for name in ("inputs_embeds", "lora_gate")}}


@dataclass(frozen=True, kw_only=True)
class WavLLM(WavLLMFamily, Pretrained):
    """The released checkpoint, after `fastadasp convert wavllm`."""

    model_type = "wavllm"
    how_to_get = (
        "WavLLM's weights are on no hub. Its authors published one file, final.pt, by the script "
        "WavLLM/download/download.sh of github.com/microsoft/SpeechT5; the address in it was good until April 2025, so "
        "ask them for the present one. With that file and LLaMA's tokenizer.model (WavLLM/wavllm/tokenizer/ there) "
        "beside it: `fastadasp convert wavllm final.pt {path}`"
    )

    @classmethod
    def option_for(cls, described: Mapping[str, Any]) -> str | None:
        """The option of `conf/model` that suits a checkpoint with this config.json; None where this class does not."""
        return "wavllm" if described.get("model_type") == cls.model_type else None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (Path(self.path).expanduser() / "config.json").is_file():
            how = self.how_to_get.replace("{path}", self.path)
            raise ModelError(f"model.path={self.path}: there is no such folder with a config.json\n{how}")

    def _build_processor(self) -> "ProcessorMixin":
        import fastadasp.models.wavllm.processing  # noqa: F401  # tells transformers of the class

        return super()._build_processor()

    def _build_config(self) -> "PreTrainedConfig":
        import fastadasp.models.wavllm.configuration  # noqa: F401  # tells transformers of the class

        return self._prefilled(super()._build_config())

    def _build_model(
        self, *, device: str, dtype: str, attention: str, device_map: "Spread | None"
    ) -> "PreTrainedModel":
        model = super()._build_model(device=device, dtype=dtype, attention=attention, device_map=device_map)
        self._prefilled(model.config)
        return model

    def take(self, model: "PreTrainedModel", processor: "ProcessorMixin") -> None:
        """As in Pretrained."""
        self._prefilled(model.config)
        super().take(model, processor)

    def _model_class(self) -> "type[PreTrainedModel]":
        from fastadasp.models.wavllm.modeling import WavLLMForConditionalGeneration

        return WavLLMForConditionalGeneration
