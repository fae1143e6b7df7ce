"""The settings of a served model, and its prompts: audio as base64 WAV beside the task's text.

The parts of a message are those of OpenAI's chat-completions reference, `input_audio` and, as vLLM and others take it,
`audio_url`.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.files.text import short
from fastadasp.models.base import Generation, ModelError
from fastadasp.models.prompting import Prompting
from fastadasp.models.served.secrets import problem

if TYPE_CHECKING:
    from fastadasp.data.audio import Samples
    from fastadasp.tasks.base import Example

AudioPart = Enum("AudioPart", ["input_audio", "audio_url"])
"""How audio stands in a message: `input_audio`, as OpenAI defines it, or `audio_url`, a data URL."""

SampleFormat = Enum("SampleFormat", ["int16", "float32"])
"""How samples are written: `int16`, which every server reads, or `float32`, which keeps them to the last bit."""

LengthKey = Enum("LengthKey", ["max_tokens", "max_completion_tokens"])
"""The field that says how long an answer may be; OpenAI's newest models take only the second one."""

USUAL_KEY = "OPENAI_API_KEY"
INSTALL = "pip install 'fastadasp[openai]'"

OWN = {
    **dict.fromkeys(("model", "messages"), "the run sets it"),
    **dict.fromkeys(("stream", "stream_options"), "set model.stream"),
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), "set generation.max_new_tokens"),
    **dict.fromkeys(("temperature", "top_p", "top_k", "repetition_penalty", "seed"), "set generation.* (or seed)"),
    **dict.fromkeys(("n", "use_beam_search", "best_of"), "a run takes one answer of each clip"),
}
"""Fields of a request that `extra_body` must not hold, with the reason."""


@dataclass(frozen=True)
class Asked:
    """One prompt, ready to be sent."""

    messages: tuple[Mapping[str, Any], ...]
    tokens: int
    """About how many tokens it has, before any server has counted."""


@dataclass(frozen=True, kw_only=True)
class ServedModel(Prompting):
    """A model behind the OpenAI chat-completions interface."""

    base_url: str
    """Where the interface begins, usually `http://HOST:PORT/v1`."""
    name: str | None = None
    """How the server calls the model; None: the only one that it lists."""
    note: str = ""
    """Words of your own for what is served there. They count in the run's name, so that servers which have had the same
    address and the same model's name one after the other are told apart."""
    api_key_env: str = USUAL_KEY
    """Name of the environment variable that holds the key; the key itself stands in no setting, log or result."""
    system: str = ""
    """Text of a system turn."""
    audio_first: bool = True
    """Whether the recordings stand before the text."""
    audio_part: AudioPart = AudioPart.input_audio
    """input_audio or audio_url."""
    samples: SampleFormat = SampleFormat.int16
    """int16 or float32."""
    sample_rate: int = 16000
    """Hz of the audio that is sent, one channel."""
    length_key: LengthKey = LengthKey.max_tokens
    """max_tokens or max_completion_tokens."""
    extra_body: dict[str, Any] = field(default_factory=dict)
    """Further fields of each request, such as `{mm_processor_kwargs: {ratio: 0.3}}` for vLLM."""
    stream: bool = False
    """Let answers come piece by piece, which measures the time to the first token."""
    concurrency: int = 8
    """Requests that are under way at once."""
    timeout_s: float = 300.0
    """Seconds that one request may take, from its sending to the last word of the answer."""
    attempts: int = 6
    """How often a clip is asked at most, where the server is overloaded or the connection fails."""
    longest_wait_s: float = 300.0
    """Longest pause between two attempts; a server that asks for a longer one has used up the attempts."""
    requests_per_minute: float | None = None
    """None: no limit. Requests are spread evenly."""
    tokens_per_minute: float | None = None
    """Of prompts and answers together, as the server counts them; None: no limit."""
    stop_after: int = 20
    """The run ends once so many clips in a row have failed for good, other than for their own length."""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = {"model.base_url": self.base_url, "model.api_key_env": self.api_key_env}
        secrets = [problem(setting, value) for setting, value in given.items()]
        problems = [*filter(None, secrets), *self._number_problems()]
        if self.name is not None and not self.name.strip():
            problems.append("model.name must be the name of a model, or null for the only one that the server lists")
        problems += [f"model.extra_body.{key} cannot be set: {OWN[key]}" for key in self.extra_body if key in OWN]
        if problems:
            raise ConfigError("\n".join(problems))

    def _number_problems(self) -> list[str]:
        least = {"concurrency": 1, "attempts": 1, "stop_after": 1, "sample_rate": 8000}
        problems = [
            f"model.{name} must be at least {low}, got {getattr(self, name)}"
            for name, low in least.items()
            if getattr(self, name) < low
        ]
        for name in ("timeout_s", "longest_wait_s", "requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                problems.append(f"model.{name} must be a number above 0, got {value}")
        return problems

    @property
    def sampling_rate(self) -> int:
        """Of the audio that is sent, in Hz."""
        return self.sample_rate

    def key(self) -> str | None:
        """The key in the environment; None where none is set under the usual name. Raises ConfigError otherwise."""
        found = os.environ.get(self.api_key_env, "").strip() or None
        if found is None and self.api_key_env != USUAL_KEY:
            raise ConfigError(
                f"model.api_key_env={self.api_key_env}: the environment has no such variable, or it is empty; export "
                f"it, or leave model.api_key_env at {USUAL_KEY} for a server that wants no key"
            )
        return found

    @property
    def has_key(self) -> bool:
        """Whether the environment holds a key."""
        return bool(os.environ.get(self.api_key_env, "").strip())

    def check(self, examples: Sequence["Example"]) -> None:
        """Raise ConfigError where a prompt cannot be worded."""
        for example in examples[:1]:
            self.wording(example)

    def check_ready(self) -> None:
        """Raise ConfigError where the client's library or the key is missing."""
        try:
            import openai  # noqa: F401
        except ImportError as error:
            raise ModelError(f"model=openai needs the client of OpenAI's interface ({error}): {INSTALL}") from error
        self.key()

    def prepare(self, example: "Example") -> Asked:
        """The messages of one example; raises AudioError. About 1.3 MB for 30 s of audio at 16 kHz."""
        audio = [self._audio(samples) for samples in self.read(example)]
        text = {"type": "text", "text": self.wording(example)}
        parts = [*audio, text] if self.audio_first else [text, *audio]
        system = [{"role": "system", "content": self.system}] if self.system else []
        return Asked((*system, {"role": "user", "content": parts}), self.expected_tokens(example))

    def _audio(self, samples: "Samples") -> dict[str, Any]:
        import base64
        import io

        import soundfile

        kind = {SampleFormat.int16: "PCM_16", SampleFormat.float32: "FLOAT"}[self.samples]
        file = io.BytesIO()
        soundfile.write(file, samples, self.sample_rate, format="WAV", subtype=kind)
        data = base64.b64encode(file.getvalue()).decode()
        if self.audio_part is AudioPart.input_audio:
            return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
        return {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{data}"}}

    def body(self, generation: Generation, seed: int) -> dict[str, Any]:
        """The fields of a request beside its model and messages.

        Greedy decoding is temperature 0. `top_k` and `repetition_penalty`, which OpenAI's own servers do not know, are
        sent only where they are set. seed: of sampling, as far as the server heeds it.
        """
        fields: dict[str, Any] = {self.length_key.name: generation.max_new_tokens, "temperature": 0.0}
        if generation.do_sample:
            fields |= {"temperature": generation.temperature, "top_p": generation.top_p, "seed": seed}
            if generation.top_k:
                fields["top_k"] = generation.top_k
        if generation.repetition_penalty != 1.0:
            fields["repetition_penalty"] = generation.repetition_penalty
        if self.stream:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        return fields | self.extra_body

    @property
    def described(self) -> str:
        """The server in messages."""
        return f"model.base_url={self.base_url}" + (f" model.name={short(self.name)}" if self.name else "")
