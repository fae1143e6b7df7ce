"""Any SpeechLM of transformers whose processor takes a chat with audio; what is not named is found by trying.

Their processors cut long audio into encoder windows themselves; the decoder must be one that `merging()` knows.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.files.text import FileError
from fastadasp.models.base import ModelError
from fastadasp.models.checks import check_prompt
from fastadasp.models.hf.listening import FORMS, SECONDS, TOKENISED, Content, Listening, find_listening
from fastadasp.models.pretrained import Pretrained

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedConfig, PreTrainedModel, ProcessorMixin

    from fastadasp.data.audio import Samples
    from fastadasp.models.placing import Spread
    from fastadasp.tasks.base import Example

_LEAST_SECONDS = 0.1
"""Shorter audio is padded with silence: some encoders make no token of less."""


@dataclass(frozen=True)
class PreparedChat:
    """One user turn: audio at the encoder's sampling rate, and the prompt around it."""

    prompt: str | None
    """None where the processor makes it of the turn itself."""
    text: str
    """The instruction."""
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
    equal_lengths: bool = False
    """Only put recordings of equal length into a batch, for encoders whose result depends on the padding."""
    arguments: dict[str, bool] = field(default_factory=dict)
    """Switches of the model's `forward` that are set for each prompt, such as `sample: false` for an encoder that would
    add noise."""

    @classmethod
    def option_for(cls, described: Mapping[str, Any]) -> str | None:
        """The option of `conf/model` that suits a checkpoint with this config.json; None where this class does not.

        Only families that have an option of their own are named.
        """
        from fastadasp.models.hf import OPTIONS

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

        return load_processor(self._source, self.revision)

    def _fitted(self, processor: "ProcessorMixin") -> "ProcessorMixin":
        """As in Pretrained: with a chat template, wherever it is from."""
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
        self, *, device: str, dtype: str, attention: str, device_map: "Spread | None"
    ) -> "PreTrainedModel":
        """The model on its device; where an encoder lacks the attention kernel, only the decoder gets the kernel."""
        build = partial(self._from_files, device=device, dtype=dtype, device_map=device_map)
        try:
            return build(attention=attention)
        except ModelError as error:
            if "does not support an attention implementation" not in str(error.__cause__):
                raise
            parts = dict.fromkeys(self.config.sub_configs, "eager")
            return build(attention={"": "eager", **parts, "text_config": attention})

    @property
    def sampling_rate(self) -> int:
        """Sampling rate of the audio that the processor takes, in Hz."""
        from fastadasp.models.hf.parts import extractor_of

        return int(extractor_of(self.processor).sampling_rate)

    @cached_property
    def listening(self) -> Listening:
        """How the processor takes audio; ModelError with what was tried where that cannot be found."""
        from fastadasp.models.hf.parts import known_token

        known = self.audio_token or known_token(self.config, self.processor)
        try:
            return find_listening(self._tried, self.sampling_rate, self.processor.tokenizer, known)
        except FileError as error:
            raise ModelError(
                f"{self._named}: {error}\nName what is missing: model.audio_token (the text of the token that stands "
                "for audio in a prompt), or model.chat_template (a Jinja template that writes this token where a part "
                "has the type 'audio'). A model without audio tokens cannot be reduced."
            ) from error

    def _tried(self, form: str, token: str, sound: "Samples") -> list[int]:
        """The ids of a prompt with a sound, in one of the forms of a turn."""
        prompt = None if form == TOKENISED else self._rendered(FORMS[form](1, "Listen.", token, self.audio_first))
        if prompt is not None and token:
            check_prompt(prompt, token, 1)
        ids: list[int] = self._process([PreparedChat(prompt, "Listen.", [sound])])["input_ids"][0].tolist()
        return ids

    @property
    def audio_token_id(self) -> int:
        """Id of the token that stands for audio in a prompt."""
        return self.listening.token_id

    @property
    def placeholder(self) -> str:
        """Text of the token that stands for audio: once for each clip, before the processor expands the text."""
        return self.listening.token

    def prepare(self, example: "Example") -> PreparedChat:
        """Read and check one example's audio (16 kHz mono clips); runs in data-loader workers, raises AudioError.

        Features are left to `encode`, since their padding differs from family to family.
        """
        from fastadasp.data.audio import pad_to

        least = round(_LEAST_SECONDS * self.sampling_rate)
        prepared = self._prompted(example, [pad_to(samples, least) for samples in self.read(example)])
        self._check_whole(example, prepared)
        return prepared

    def _prompted(self, example: "Example", audio: "list[Samples]") -> PreparedChat:
        """`audio` with the prompt that the chat template makes around it."""
        text, found = self.wording(example), self.listening
        if found.form == TOKENISED:
            return PreparedChat(None, text, audio)
        prompt = self.render(FORMS[found.form](len(audio), text, found.token, self.audio_first), len(audio))
        if text.strip() not in prompt and example.task != "asr":
            raise ConfigError(
                f"example {example.id}: the chat template of {self.path} leaves the instruction out, so this model "
                f"only transcribes (task=asr); it was {text!r}"
            )
        return PreparedChat(prompt, text, audio)

    def _check_whole(self, example: "Example", prepared: PreparedChat) -> None:
        """AudioError where the processor drops the end of the audio; looked at whenever longer audio comes."""
        from fastadasp.data.audio import AudioError

        seconds = sum(map(len, prepared.audio)) / self.sampling_rate
        if seconds <= self.__dict__.get("_whole_seconds", SECONDS[0][1]):
            return
        tokens, needed = self.prompt_tokens(prepared)[0], self.listening.per_second * seconds
        if tokens < 0.9 * needed:
            raise AudioError(
                f"example {example.id}: {self.path} makes {tokens} audio tokens of {seconds:.1f} s, which need "
                f"{needed:.0f}: its processor drops what comes after {tokens / self.listening.per_second:.0f} s "
                "(model.max_seconds)"
            )
        self.__dict__["_whole_seconds"] = seconds  # the dataclass is frozen: it is the run's config

    def _conversation(self, content: str | Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        """The turns of a chat: the system's turn, if there is one, and one user turn."""
        system: Content = self.system if isinstance(content, str) else [{"type": "text", "text": self.system}]
        return [*([{"role": "system", "content": system}] if self.system else []), *super()._conversation(content)]

    def _rendered(self, content: str | Sequence[Mapping[str, str]]) -> str:
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
        """Audio tokens and all other tokens of one prompt; needs no weights."""
        return self.count(self._process([prepared])["input_ids"])

    def encode(self, prepared: Sequence[PreparedChat]) -> "BatchFeature":
        """A left-padded batch of prompts with features, on the model's device."""
        from fastadasp.engine.device import input_device

        batch = self._process(prepared).to(input_device(self.model), self.model.dtype)
        batch.update(self.arguments)
        return batch

    def audio_mask(self, inputs: "BatchFeature") -> "Tensor":
        """(B, T) bool: which positions are audio; some tokenizers pad with the token that stands for audio."""
        mask: Tensor = super().audio_mask(inputs) & inputs["attention_mask"].bool()
        return mask

    def batch_key(self, prepared: PreparedChat) -> Hashable:
        """Prompts may be encoded together where this is equal; as it stands, any may."""
        return tuple(map(len, prepared.audio)) if self.equal_lengths else None

    def _process(self, prepared: Sequence[PreparedChat]) -> "BatchFeature":
        from fastadasp.models.hf.parts import call, call_with_chats

        audio, rate = [one for item in prepared for one in item.audio], self.sampling_rate
        prompts = [item.prompt for item in prepared if item.prompt is not None]
        if prompts:
            return call(self.processor, prompts, audio, rate)
        parts = [FORMS["parts"](len(item.audio), item.text, "", self.audio_first) for item in prepared]
        return call_with_chats(self.processor, [self._conversation(content) for content in parts], audio, rate)

    def texts(self, ids: "Tensor") -> list[str]:
        """The texts of generated ids; only the transcript, where a recogniser also writes speakers and times."""
        texts = super().texts(ids)
        transcript = getattr(self.processor, "extract_transcription", None)
        return texts if transcript is None else [str(transcript(text)) for text in texts]

    def beam_prompt(self, inputs: "BatchFeature") -> Mapping[str, "Tensor"]:
        """`inputs` with the audio read already, once for all beams.

        Where that is not possible, each beam reads the audio itself, if a row of features is a row of the batch.
        """
        from fastadasp.models.hf.parts import reads_embeddings

        if reads_embeddings(self.model):
            prompt = super().beam_prompt(inputs)
            if prompt["inputs_embeds"] is not None:  # some decoders embed text and audio themselves
                return prompt
        features: Mapping[str, Tensor] = inputs
        rows = len(inputs["input_ids"])
        if any(len(value) != rows for value in features.values() if hasattr(value, "shape")):
            raise ConfigError(
                f"beam search of transformers mixes up the recordings of {self.path}, whose features have "
                "another number of rows than the batch; set generation.engine=static, or generation.num_beams=1"
            )
        return features
