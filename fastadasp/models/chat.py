"""Any SpeechLM of transformers whose processor takes a chat with audio; what is not named is found by trying.

Their processors cut long audio into encoder windows themselves; the decoder must be one that `merging()` knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.files.text import FileError
from fastadasp.models.base import ModelError
from fastadasp.models.hf.listening import FORMS, Content, Listening, find_listening
from fastadasp.models.pretrained import Pretrained

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedConfig, PreTrainedModel, ProcessorMixin

    from fastadasp.data.audio import Samples
    from fastadasp.tasks.base import Example

_LEAST_SECONDS = 0.1
"""Shorter audio is padded with silence: some encoders make no token of less."""
OPTIONS = {
    "audioflamingo3": "audio_flamingo_3",
    "musicflamingo": "music_flamingo",
    "glmasr": "glm_asr_nano",
    "qwen3_asr": "qwen3_asr",
    "fun_asr_nano": "fun_asr_nano",
    "vibevoice_asr": "vibevoice_asr",
    "moss_transcribe_diarize": "moss_transcribe_diarize",
    "granite_speech": "granite_speech",
    "granite_speech_plus": "granite_speech_plus",
    "qwen2_5_omni": "qwen2_5_omni",
    "qwen3_omni_moe": "qwen3_omni",
    "phi4_multimodal": "phi4_multimodal",
}
"""The option of `conf/model` for each family that has prompts and limits of its own."""


@dataclass(frozen=True)
class PreparedChat:
    """One user turn: audio at the encoder's sampling rate, and the prompt around it."""

    prompt: str
    audio: list["Samples"]


@dataclass(frozen=True, kw_only=True)
class ChatSpeechLM(Pretrained):
    """A checkpoint that is used through its own processor, chat template and transformers class."""

    audio_first: bool = True
    """Audio before the instruction in the user's turn; false: after it."""
    audio_token: str | None = None
    """The text of the token that stands for audio, where the checkpoint does not say it and trying does not show it."""
    chat_template: str | None = None
    """A Jinja template in place of the checkpoint's, for checkpoints without one."""
    system: str = ""
    """What stands in a system turn before the user's; empty: no such turn."""
    answer_start: str = ""
    """How every answer begins: the prompt ends with these words."""
    arguments: dict[str, bool] = field(default_factory=dict)
    """Switches of the model's `forward` that are set for each prompt, such as `sample: false` for an encoder that would
    add noise."""

    @classmethod
    def option_for(cls, described: Mapping[str, Any]) -> str | None:
        """As in Pretrained, for the families that have an option of their own."""
        return OPTIONS.get(str(described.get("model_type")))

    def _build_config(self) -> "PreTrainedConfig":
        from fastadasp.models.hf.parts import speech_config

        whole = super()._build_config()
        with self._explained():
            return speech_config(whole)

    def _check_config(self, config: "PreTrainedConfig") -> None:
        from fastadasp.models.checks import check_decoder
        from fastadasp.models.hf.parts import speech_config

        check_decoder(speech_config(config))

    def _read_processor(self) -> "ProcessorMixin":
        from fastadasp.models.hf.parts import load_processor

        processor = load_processor(self._source, self.revision)
        of_tokenizer = getattr(getattr(processor, "tokenizer", None), "chat_template", None)
        processor.chat_template = self.chat_template or getattr(processor, "chat_template", None) or of_tokenizer
        return processor

    def _check_processor(self, processor: "ProcessorMixin") -> None:
        from fastadasp.models.checks import check_tokenizer
        from fastadasp.models.hf.parts import extractor_of

        extractor_of(processor)
        check_tokenizer(processor)

    def _model_class(self) -> "type[PreTrainedModel]":
        from fastadasp.models.hf.parts import speech_class

        return speech_class(self.config)

    def _build_model(
        self, *, device: str, dtype: str, attention: "str | dict[str, str]", device_map: str | None
    ) -> "PreTrainedModel":
        """As in SpeechLM; where an encoder has no such attention kernel, the decoder alone gets the kernel asked for."""
        build = partial(super()._build_model, device=device, dtype=dtype, device_map=device_map)
        try:
            return build(attention=attention)
        except ModelError as error:
            if "does not support an attention implementation" not in str(error.__cause__):
                raise
            parts = dict.fromkeys(self.config.sub_configs, "eager")
            return build(attention={"": "eager", **parts, "text_config": attention})

    @property
    def sampling_rate(self) -> int:
        """As in SpeechLM."""
        from fastadasp.models.hf.parts import extractor_of

        return int(extractor_of(self.processor).sampling_rate)

    @cached_property
    def listening(self) -> Listening:
        """How the processor takes audio; ModelError with what was tried where that cannot be found."""
        try:
            found = find_listening(
                self._rendered, self._ids_of, self.sampling_rate, self.processor.tokenizer, self._known_tokens()
            )
        except FileError as error:
            raise ModelError(
                f"{self._named}: {error}\nName what is missing: model.audio_token (the text of the token that stands for "
                "audio in a prompt) or model.chat_template (a Jinja template that writes this token for a part with "
                "type 'audio'); a model without audio tokens cannot be reduced"
            ) from error
        return found

    def _known_tokens(self) -> list[str]:
        """The texts by which the user, the processor and the configuration name the audio token."""
        from fastadasp.models.hf.parts import token_ids_named

        tokenizer = self.processor.tokenizer
        named = [self.audio_token, *(getattr(part, "audio_token", None) for part in (self.processor, tokenizer))]
        vocabulary = len(tokenizer)
        named += [
            tokenizer.convert_ids_to_tokens(token)
            for token in token_ids_named(self.config, self.processor)
            if token < vocabulary
        ]
        return [name for name in named if isinstance(name, str)]

    @property
    def audio_token_id(self) -> int:
        """As in SpeechLM."""
        return self.listening.token_id

    @property
    def placeholder(self) -> str:
        """As in SpeechLM."""
        return self.listening.token

    def prepare(self, example: "Example") -> PreparedChat:
        """As in ModelAdapter; features are left to `encode`, since their padding differs from family to family."""
        from fastadasp.data.audio import pad_to

        least = round(_LEAST_SECONDS * self.sampling_rate)
        audio = [pad_to(samples, least) for samples in self.read(example)]
        return self._prompted(example, audio)

    def _prompted(self, example: "Example", audio: "list[Samples]") -> PreparedChat:
        """`audio` with the prompt that the chat template makes around it."""
        text, found = self.wording(example), self.listening
        prompt = self.render(FORMS[found.form](len(audio), text, found.token, self.audio_first), len(audio))
        if text.strip() not in prompt and example.task != "asr":
            raise ConfigError(
                f"example {example.id}: the chat template of {self.path} leaves the instruction out, so this model only "
                f"transcribes (task=asr); it was {text!r}"
            )
        return PreparedChat(prompt, audio)

    def _conversation(self, content: Content) -> list[dict[str, Any]]:
        """As in SpeechLM, with the system's turn."""
        system: Content = self.system if isinstance(content, str) else [{"type": "text", "text": self.system}]
        return [*([{"role": "system", "content": system}] if self.system else []), *super()._conversation(content)]

    def _rendered(self, content: Content) -> str:
        return super()._rendered(content) + self.answer_start

    def check(self, examples: Sequence["Example"]) -> None:
        """Refuse several audio files in a prompt where the processor takes but one, by trying them as silence."""
        import numpy as np

        most = max(examples, key=lambda example: len(example.audio), default=None)
        if most is None or len(most.audio) < 2:
            return
        silence = np.zeros(self.sampling_rate, np.float32)
        single, several = (self._prompted(most, [silence] * count) for count in (1, len(most.audio)))
        try:
            taken = self.prompt_tokens(several)[0] > self.prompt_tokens(single)[0]
            reason = "it leaves all but one out"
        except (ValueError, TypeError, IndexError, KeyError, RuntimeError) as error:
            taken, reason = False, str(error).split("\n")[0]
        if not taken:
            raise ConfigError(
                f"example {most.id} has {len(most.audio)} audio files, but {self.path} takes one in a prompt "
                f"({reason}); join the files into one, or give each a line of its own"
            )

    def prompt_tokens(self, prepared: PreparedChat) -> tuple[int, int]:
        """As in ModelAdapter."""
        return self.count(self._process([prepared])["input_ids"])

    def encode(self, prepared: Sequence[PreparedChat]) -> "BatchFeature":
        """As in ModelAdapter."""
        batch = self._process(prepared).to(self.model.device, self.model.dtype)
        batch.update(self.arguments)
        return batch

    def _process(self, prepared: Sequence[PreparedChat]) -> "BatchFeature":
        from fastadasp.models.hf.parts import call

        prompts, audio = [item.prompt for item in prepared], [one for item in prepared for one in item.audio]
        return call(self.processor, prompts, audio, self.sampling_rate)

    def _ids_of(self, prompt: str, sound: "Samples") -> list[int]:
        ids: list[int] = self._process([PreparedChat(prompt, [sound])])["input_ids"][0].tolist()
        return ids

    def load(self, *, device: str, dtype: str, attention: str, device_map: str | None = None) -> "PreTrainedModel":
        """As in ModelAdapter; an adapter for audio that the checkpoint carries is on, as its `generate()` would do."""
        model = super().load(device=device, dtype=dtype, attention=attention, device_map=device_map)
        if getattr(model, "_hf_peft_config_loaded", False):
            model.enable_adapters()
        return model

    def texts(self, ids: "Tensor") -> list[str]:
        """As in ModelAdapter; of a recogniser that writes speakers and times along, the transcript."""
        texts = super().texts(ids)
        transcript = getattr(self.processor, "extract_transcription", None)
        return texts if transcript is None else [str(transcript(text)) for text in texts]

    def beam_prompt(self, inputs: "BatchFeature") -> Mapping[str, "Tensor"]:
        """As in SpeechLM. Where that is not possible, each beam reads the audio itself, if a row of features is a row of
        the batch."""
        if self._reads_embeddings():
            return super().beam_prompt(inputs)
        rows = len(inputs["input_ids"])
        if any(len(value) != rows for value in inputs.values() if hasattr(value, "shape")):
            raise ConfigError(
                f"beam search of transformers mixes up the recordings of {self.path}, whose features have "
                "another number of rows than the batch; set generation.engine=static, or generation.num_beams=1"
            )
        return inputs

    def _reads_embeddings(self) -> bool:
        """Whether transformers' `generate()` can go on from the embeddings of a whole prompt."""
        import inspect

        from fastadasp.decoding.prefill import has_several_positions
        from fastadasp.engine.decoder import find_decoder

        model = self.model
        return (
            not has_several_positions(model)
            and not getattr(model, "_hf_peft_config_loaded", False)
            and "inputs_embeds" in inspect.signature(model.prepare_inputs_for_generation).parameters
            and "inputs_embeds" in inspect.signature(find_decoder(model).forward).parameters
        )
