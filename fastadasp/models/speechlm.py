"""What all adapters of transformers' speech language models share: loading, wording, decoding, dimensions."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.files.text import short
from fastadasp.models.base import Generation, ModelAdapter, ModelError
from fastadasp.models.checks import check_prompt
from fastadasp.models.embedding import prompt_embeddings
from fastadasp.models.prompting import Prompting
from fastadasp.reduction.flops import DecoderShape

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedConfig, PreTrainedModel, ProcessorMixin

    from fastadasp.models.placing import Spread


@dataclass(frozen=True)
class SpeechLM(Prompting, ModelAdapter):
    """An audio encoder and a decoder-only LLM behind one transformers class."""

    date: str = "2025-01-01"
    """What chat templates that write a date (`strftime_now`) take for today, as year-month-day: a prompt that changed
    with the calendar would change the answers of a run without changing the run's name."""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            date.fromisoformat(self.date)
        except ValueError:
            raise ConfigError(f"model.date must be a date such as 2025-01-01, got {self.date!r}") from None

    @abstractmethod
    def _build_processor(self) -> "ProcessorMixin":
        """The processor (tokenizer and feature extractor)."""

    @abstractmethod
    def _build_config(self) -> "PreTrainedConfig":
        """The model's config; no weights are touched."""

    @abstractmethod
    def _build_model(
        self, *, device: str, dtype: str, attention: str, device_map: "Spread | None"
    ) -> "PreTrainedModel":
        """The model on its device; `load` explains the arguments."""

    @cached_property
    def processor(self) -> "ProcessorMixin":
        """The processor; `prepare` needs it, so that data-loader workers build it too."""
        from fastadasp.models.spectrogram import quickened

        return quickened(self._build_processor())

    @cached_property
    def config(self) -> "PreTrainedConfig":
        """The model's config, which is read before the weights."""
        return self._build_config()

    def load(self, *, device: str, dtype: str, attention: str, device_map: "Spread | None" = None) -> "PreTrainedModel":
        """Load processor and weights; afterwards `model` gives the model in eval mode.

        Of the checkpoint's generation config, only token ids are used; its decoding settings are dropped.
        """
        self._use(self._build_model(device=device, dtype=dtype, attention=attention, device_map=device_map).eval())
        return self.model

    def _use(self, model: "PreTrainedModel") -> None:
        """Take `model` for this adapter's; its generation config is replaced."""
        from transformers import GenerationConfig

        tokenizer = self.processor.tokenizer
        # generate() fills settings left unset (top_k, penalties, ...) from here, but the run's config is what counts.
        model.generation_config = GenerationConfig(
            eos_token_id=model.generation_config.eos_token_id or tokenizer.eos_token_id,
            pad_token_id=_pad_token_id(tokenizer),
        )
        self.__dict__["_model"] = model  # the dataclass is frozen: it is the run's config

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory."""
        return "_model" in self.__dict__

    @property
    def model(self) -> "PreTrainedModel":
        """The loaded transformers model. Raises RuntimeError before `load`."""
        if not self.loaded:
            raise RuntimeError(f"{type(self).__name__}.load() must be called before the model is used")
        return self.__dict__["_model"]

    def __getstate__(self) -> dict[str, Any]:
        """Data-loader workers get the adapter without its weights."""
        return {name: value for name, value in self.__dict__.items() if name != "_model"}

    @property
    def shape(self) -> DecoderShape:
        """The decoder's dimensions, which are read from the config without weights."""
        text = self.config.get_text_config()
        return DecoderShape(
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            intermediate=text.intermediate_size,
            heads=text.num_attention_heads,
            kv_heads=text.num_key_value_heads,
            head_dim=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
            vocab=text.vocab_size,
            gated_mlp=True,
        )

    @property
    def audio_token_id(self) -> int:
        """Of the token that stands for audio in a prompt."""
        return int(self.config.audio_token_id)

    @property
    def placeholder(self) -> str:
        """The same token's text, which stands in a prompt once for each clip before the processor expands it."""
        return str(self.processor.audio_token)

    @property
    def sampling_rate(self) -> int:
        """Of the audio that the processor takes, in Hz."""
        return int(self.processor.feature_extractor.sampling_rate)

    def count(self, ids: "Tensor") -> tuple[int, int]:
        """Audio tokens and all others among a prompt's ids, placeholders expanded."""
        audio = int((ids == self.audio_token_id).sum())
        return audio, ids.numel() - audio

    def audio_mask(self, inputs: "BatchFeature") -> "Tensor":
        """(B, T) bool over the prompt as the decoder sees it: True at the expanded placeholders of audio."""
        mask: Tensor = inputs["input_ids"] == self.audio_token_id
        return mask

    def generate(self, inputs: "BatchFeature", generation: Generation) -> tuple["Tensor", list[str]]:
        """Generated ids (B, new) without the prompt, and their texts without special tokens."""
        settings = asdict(generation)
        del settings["engine"]
        if not generation.do_sample:
            for name in ("temperature", "top_k", "top_p"):  # transformers warns of them in greedy and beam search
                del settings[name]
        if generation.num_beams == 1:
            del settings["length_penalty"]
        prompt = self.beam_prompt(inputs) if generation.num_beams > 1 else inputs
        ids = self.model.generate(**prompt, **settings)
        new_ids = ids[:, inputs["input_ids"].shape[1] :]
        return new_ids, self.texts(new_ids)

    def beam_prompt(self, inputs: "BatchFeature") -> Mapping[str, "Tensor"]:
        """`inputs` with the audio read already, once for all beams, and a row of every tensor for each prompt."""
        prompt = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        return {**prompt, "inputs_embeds": prompt_embeddings(self.model, inputs)}

    @property
    def reserved(self) -> tuple[str, ...]:
        """Special tokens that no instruction may hold: what stands for audio."""
        return (self.placeholder,)

    def texts(self, ids: "Tensor") -> list[str]:
        """The texts of generated ids (B, new), without special tokens."""
        texts: list[str] = self.processor.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return texts

    def _fix_date(self) -> None:
        """Let the chat template take `date` for today.

        transformers passes variables of a template on as text, hence the function is put into the compiled template.
        """
        from transformers.utils.chat_template_utils import _compile_jinja_template

        template = self.processor.chat_template or self.processor.tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        if isinstance(template, str):
            today = datetime.fromisoformat(self.date)
            _compile_jinja_template(template).globals["strftime_now"] = today.strftime

    def render(self, content: "str | Sequence[Mapping[str, str]]", clips: int) -> str:
        """The prompt of one user turn by the chat template, up to where the answer begins.

        content: the turn's text, or its parts (`audio`, `text`), of which `clips` are audio. Raises ModelError where
        the template, which is a program that came with the checkpoint, fails or does not place the audio.
        """
        try:
            prompt = self._rendered(content)
            check_prompt(prompt, self.placeholder, clips)
        except Exception as error:
            raise ModelError(f"{self._named}: its chat template cannot be used: {short(error, 300)}") from error
        return prompt

    def _rendered(self, content: "str | Sequence[Mapping[str, str]]") -> str:
        self._fix_date()
        conversation = self._conversation(content)
        return str(self.processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False))

    def _conversation(self, content: "str | Sequence[Mapping[str, str]]") -> list[dict[str, Any]]:
        """The turns of a chat with one user turn."""
        return [{"role": "user", "content": content if isinstance(content, str) else list(content)}]

    @property
    def _named(self) -> str:
        """The name of the model in messages."""
        return type(self).__name__

    def answer_ids(self, text: str) -> "Tensor":
        """(N,) int64: the tokens by which the model would give `text` as its answer, without an end token.

        After a prompt without chat template, which ends with a word, the answer begins with a space.
        """
        import torch

        space = "" if getattr(self, "chat", True) else " "
        ids: list[int] = self.processor.tokenizer(f"{space}{text}", add_special_tokens=False).input_ids
        if not ids:
            raise ConfigError(f"the option {text!r} has no token in this model's vocabulary: its likelihood is unknown")
        return torch.tensor(ids)


def _pad_token_id(tokenizer: Any) -> int:
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)
