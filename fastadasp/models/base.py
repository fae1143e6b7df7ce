"""What a model family must tell the framework, and nothing about methods or tasks."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from fastadasp.errors import InputError
from fastadasp.reduction.flops import DecoderShape

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedModel

    from fastadasp.tasks.base import Example


class ModelError(InputError):
    """A checkpoint that cannot be loaded or used; the message names it and what is wrong."""


Engine = Enum("Engine", ["auto", "static", "transformers"])
"""What runs the search. `static`: fastadasp.decoding, whose answers in greedy and beam search are those of
`transformers`' generate(), but faster; `auto`: static on a CPU wherever it can, else transformers."""


@dataclass(frozen=True)
class Generation:
    """How answers are decoded; the schema of `conf/generation/*.yaml`. All but `engine` is as in transformers."""

    engine: Engine = Engine.auto
    max_new_tokens: int = 128
    num_beams: int = 1
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    """0 keeps all tokens."""
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0


@dataclass(frozen=True)
class Heard:
    """What the audio of an example turned out to be when it was read."""

    seconds: float
    """Length of all its files."""
    remarks: tuple[str, ...] = ()
    """What a user should know of them, each with the file's name."""


@dataclass(frozen=True)
class ModelAdapter(ABC):
    """A SpeechLM family; its dataclass fields are the schema of `conf/model/<name>.yaml`.

    Built cheaply (no weights are touched before `load`), so that every configuration error surfaces first.
    """

    @abstractmethod
    def load(self, *, device: str, dtype: str, attention: str, device_map: str | None = None) -> "PreTrainedModel":
        """Load processor and weights; afterwards `model` gives the model in eval mode.

        device: torch device such as `cpu` or `cuda:0`; dtype: `float32`, `bfloat16` or `float16`;
        attention: `sdpa`, `eager` or `flash_attention_2`; device_map: accelerate's, or None for one device.
        """

    @property
    @abstractmethod
    def model(self) -> "PreTrainedModel":
        """The loaded transformers model."""

    @property
    @abstractmethod
    def shape(self) -> DecoderShape:
        """The decoder's dimensions."""

    @abstractmethod
    def prepare(self, example: "Example") -> Any:
        """Read and check one example's audio (16 kHz mono clips); runs in data-loader workers, raises AudioError."""

    def heard(self, example: "Example") -> Heard | None:
        """What the audio of an example turned out to be that this process has prepared; None where that is not kept."""
        return None

    def check(self, examples: Sequence["Example"]) -> None:
        """Raise ConfigError where the model cannot take what an example holds; called before weights are loaded."""
        return

    @abstractmethod
    def prompt_tokens(self, prepared: Any) -> tuple[int, int]:
        """Audio tokens and all other tokens of one prompt; needs no weights."""

    @abstractmethod
    def encode(self, prepared: Sequence[Any]) -> "BatchFeature":
        """A left-padded batch of prompts with features, on the model's device."""

    def batch_key(self, prepared: Any) -> Hashable:
        """Prompts may be encoded together where this is equal; as it stands, any may."""
        return None

    @abstractmethod
    def audio_mask(self, inputs: "BatchFeature") -> "Tensor":
        """(B, T) bool over the prompt as the decoder sees it: which positions are audio."""

    @abstractmethod
    def texts(self, ids: "Tensor") -> list[str]:
        """The texts of generated ids (B, new), without special tokens."""

    @abstractmethod
    def answer_ids(self, text: str) -> "Tensor":
        """(N,) int64: the tokens by which the model would give `text` as its answer, without an end token."""

    @abstractmethod
    def generate(self, inputs: "BatchFeature", generation: Generation) -> tuple["Tensor", list[str]]:
        """Generated ids (B, new) without the prompt, and their texts without special tokens."""
