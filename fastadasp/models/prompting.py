"""What every model asks and hears, wherever it runs: the wording of a prompt, and its audio, read and checked."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastadasp.errors import ConfigError
from fastadasp.models.base import Heard, Model
from fastadasp.process.stopwatch import spent_on

if TYPE_CHECKING:
    from fastadasp.data.audio import Samples
    from fastadasp.tasks.base import Example

_DECLARED_S, _DECLARED_SHARE = 0.15, 0.02
"""Seconds and share by which a declared length may differ from what is read without a remark: codecs fill frames."""


@dataclass(frozen=True)
class Prompting(Model):
    """A model whose prompts are audio files and a text."""

    max_seconds: float = 600.0
    """Longest audio of one prompt; a longer one is an error, never cut silently."""
    instructions: dict[str, str] = field(default_factory=dict)
    """This model's own wording by task name, where the task's general one does not suit it. `{instruction}` and the
    fields of the manifest line (`{question}`, `{language}`, ...) are replaced."""

    def __post_init__(self) -> None:
        if self.max_seconds <= 0:
            raise ConfigError(f"model.max_seconds must be above 0, got {self.max_seconds}")

    @property
    @abstractmethod
    def sampling_rate(self) -> int:
        """Of the audio that the model takes, in Hz."""

    @property
    def reserved(self) -> tuple[str, ...]:
        """Special tokens that no instruction may hold."""
        return ()

    def wording(self, example: "Example") -> str:
        """The text of the prompt as this model wants it. Raises ConfigError when it cannot be worded."""
        for token in self.reserved:
            if token in example.instruction or token in example.context:
                raise ConfigError(
                    f"example {example.id}: its instruction holds {token}, which marks a part of the prompt for this "
                    "model; change the manifest's text or the task's instruction"
                )
        return f"{example.context}{self._question(example)}"

    def _question(self, example: "Example") -> str:
        template = None if example.verbatim else self.instructions.get(example.task)
        if template is None:
            return example.instruction
        fields: Mapping[str, object] = {**example.meta, "instruction": example.instruction}
        try:
            return template.format_map(fields)
        except (KeyError, ValueError, IndexError) as error:
            raise ConfigError(
                f"model.instructions.{example.task}={template!r} cannot be filled ({error}) for example {example.id}; "
                f"it may use {', '.join(f'{{{name}}}' for name in fields)}"
            ) from error

    def read(self, example: "Example") -> list["Samples"]:
        """The example's audio files in prompt order; together at most `max_seconds`. Raises AudioError.

        What they turn out to be is kept for `heard`.
        """
        from fastadasp.data.audio import AudioError
        from fastadasp.data.listen import listen

        if not example.audio:
            raise AudioError(f"example {example.id} has no audio; a prompt needs at least one audio file")
        rate = self.sampling_rate
        with spent_on("read"):
            files = [listen(source, self.max_seconds, rate, example.reading) for source in example.audio]
        audio = [file.samples for file in files]
        seconds = sum(map(len, audio)) / rate
        if seconds > self.max_seconds:
            raise AudioError(
                f"example {example.id}: its {len(audio)} files hold {seconds:.1f} s together, over the limit of "
                f"{self.max_seconds:g} s for one prompt (model.max_seconds)"
            )
        remarks = [
            f"{source} {text}" for source, file in zip(example.audio, files, strict=True) for text in file.remarks
        ]
        if example.seconds and abs(seconds - example.seconds) > max(_DECLARED_S, _DECLARED_SHARE * seconds):
            remarks.append(
                f"{example.audio[0]}: {seconds:.2f} s of audio were read, where the manifest or the file's header says "
                f"{example.seconds:g} s; what was read counts"
            )
        self._heard[_heard_key(example)] = Heard(seconds, tuple(remarks))
        return audio

    @property
    def _heard(self) -> dict[Any, Heard]:
        found: dict[Any, Heard] = self.__dict__.setdefault("_heard_by_files", {})  # the dataclass is frozen
        return found

    def heard(self, example: "Example") -> Heard | None:
        """What the audio of an example turned out to be that this process has prepared; None where that is not kept."""
        return self._heard.get(_heard_key(example))


def _heard_key(example: "Example") -> tuple[object, ...]:
    return example.audio, example.reading, example.seconds
