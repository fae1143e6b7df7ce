"""What a model family must tell the framework, and nothing about methods or tasks."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from fastadasp.errors import ConfigError, InputError
from fastadasp.reduction.flops import DecoderShape

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BatchFeature, PreTrainedModel

    from fastadasp.models.placing import Spread
    from fastadasp.tasks.base import Example


class ModelError(InputError):
    """A checkpoint that cannot be loaded or used; the message names it and what is wrong."""


Engine = Enum("Engine", ["auto", "static", "transformers"])
"""What runs the search. `static`: fastadasp.decoding, whose answers in greedy and beam search are those of
`transformers`' generate(), but faster; `auto`: static on a CPU wherever it can, else transformers."""


MOST_NEW_TOKENS = 100_000
"""More than any answer needs, and less than what a cache for it would have no memory for."""

NOT_STATIC = "it knows neither sampling nor a repetition penalty"
"""What the static engine cannot do with any model."""

_TEMPLATE = 30
"""About how many tokens chat templates add."""

_NUMBERS = ("temperature", "repetition_penalty", "length_penalty")


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

    def __post_init__(self) -> None:
        finite = {name: math.isfinite(getattr(self, name)) for name in _NUMBERS}
        rules = {
            "max_new_tokens": (1 <= self.max_new_tokens <= MOST_NEW_TOKENS, f"lie in [1, {MOST_NEW_TOKENS}]"),
            "num_beams": (self.num_beams >= 1, "be at least 1"),
            "temperature": (
                finite["temperature"] and self.temperature > 0,
                "be a number above 0; for the most likely answer set generation.do_sample=false instead of 0",
            ),
            "top_k": (self.top_k >= 0, "be at least 0, where 0 keeps all tokens"),
            "top_p": (0 < self.top_p <= 1, "lie in (0, 1], where 1 keeps all tokens"),
            "repetition_penalty": (
                finite["repetition_penalty"] and self.repetition_penalty > 0,
                "be a number above 0, where 1 is no penalty",
            ),
            "length_penalty": (finite["length_penalty"], "be a number"),
        }
        problems = [
            f"generation.{name} must {allowed}; got {getattr(self, name)}"
            for name, (right, allowed) in rules.items()
            if not right
        ]
        if self.engine is Engine.static and (self.do_sample or self.repetition_penalty != 1.0):
            problems.append(f"generation.engine=static is not possible: {NOT_STATIC}; use generation.engine=auto")
        if problems:
            raise ConfigError("\n".join(problems))


@dataclass(frozen=True)
class Heard:
    """What the audio of an example turned out to be when it was read."""

    seconds: float
    """Length of all its files."""
    remarks: tuple[str, ...] = ()
    """What a user should know of them, each with the file's name."""


@dataclass(frozen=True)
class Model(ABC):
    """Whatever can be asked about audio: a model in this process (`ModelAdapter`), or one behind a server.

    Its dataclass fields are the schema of `conf/model/<name>.yaml`.
    """

    tokens_per_second: ClassVar[float] = 25.0
    """Audio tokens for a second of speech."""

    @abstractmethod
    def prepare(self, example: "Example") -> Any:
        """Read and check one example's audio (16 kHz mono clips); runs in data-loader workers, raises AudioError."""

    def heard(self, example: "Example") -> Heard | None:
        """What the audio of an example turned out to be that this process has prepared; None where that is not kept."""
        return None

    def check(self, examples: Sequence["Example"]) -> None:
        """Raise ConfigError where the model cannot take what an example holds; called before weights are loaded."""
        return

    def expected_tokens(self, example: "Example") -> int:
        """About how many tokens the prompt of an example has, before its audio is read: what batches are planned by."""
        return round(example.seconds * self.tokens_per_second) + len(example.instruction) // 4 + _TEMPLATE


@dataclass(frozen=True)
class ModelAdapter(Model):
    """A SpeechLM family, whose weights this process loads.

    Built cheaply (no weights are touched before `load`), so that every configuration error surfaces first.
    """

    @abstractmethod
    def load(self, *, device: str, dtype: str, attention: str, device_map: "Spread | None" = None) -> "PreTrainedModel":
        """Load processor and weights; afterwards `model` gives the model in eval mode.

        device: torch device such as `cpu` or `cuda:0`; dtype: `float32`, `bfloat16` or `float16`;
        attention: `sdpa`, `eager` or `flash_attention_2`; device_map: several devices; None for one.
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
