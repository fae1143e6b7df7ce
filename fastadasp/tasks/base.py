"""What a task is: examples to answer, how an answer is read, and how answers are scored."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fastadasp.data.audio_options import AudioOptions
from fastadasp.data.manifest import Problems, Record
from fastadasp.data.sources import Source
from fastadasp.errors import ConfigError
from fastadasp.files.shelf import mapped
from fastadasp.tasks.tallies import tallied

if TYPE_CHECKING:
    from fastadasp.statistics.score import Floats, Score


@dataclass(frozen=True)
class Example:
    """One item to run: one or several audio files and what the model is asked about them."""

    id: str
    audio: tuple[Source, ...]
    """Files, cuts out of files or several joined, in prompt order; model adapters may cut each into several clips."""
    instruction: str
    """The user's text as the task words it, without chat template or audio placeholders."""
    reference: str
    seconds: float = 0.0
    """Length of all its audio; 0 when it could not be measured (the audio then fails when it is read)."""
    task: str = ""
    """Name of the task: a model's YAML may word some tasks its own way (`model.instructions`)."""
    meta: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the manifest line (choices, speaker, ...)."""
    reading: AudioOptions = field(default_factory=AudioOptions)
    """How its audio files are to be read."""
    context: str = ""
    """Text that stands before the question, such as examples with their answers; the reader of answers knows none."""
    verbatim: bool = False
    """Whether a model's own wording of the task is passed over."""
    remarks: tuple[str, ...] = ()
    """What was noticed when its audio was read."""


@dataclass(frozen=True)
class Prediction:
    """One line of `predictions.jsonl`: what came back for one example, and what it cost."""

    id: str
    text: str
    """Decoded answer as the model gave it; empty when `error` is set."""
    answer: str
    """The answer as the task's parser reads it; empty when nothing could be read."""
    reference: str
    error: str | None = None
    """Why there is no answer. Such an example counts as wrong, it never leaves a mean."""
    audio_tokens: int = 0
    """Audio tokens of the prompt."""
    audio_tokens_per_layer: tuple[int, ...] = ()
    """Audio tokens that enter each decoder layer at prefill, then those that leave the last one (L + 1 values)."""
    cached_tokens_per_layer: tuple[int, ...] = ()
    """Prompt tokens, text included, whose keys and values each KV head of a layer holds after prefill (L values)."""
    text_tokens: int = 0
    """Prompt tokens that are not audio."""
    new_tokens: int = 0
    seconds: float = 0.0
    """Length of the example's audio, as it was read; of a failed example, as it was declared."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """Latencies (s) and bytes of the batch in which the example ran, and the batch's size."""
    meta: Mapping[str, object] = field(default_factory=dict)
    likelihoods: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    """Where options were scored: by option, for each of its wordings, the log-likelihood of each token."""
    remarks: tuple[str, ...] = ()
    """What a user should know of the example's audio, each with the file's name."""
    truncated: bool = False
    """The answer was cut off: it reached `generation.max_new_tokens` without an end."""
    origin: str = ""
    """Which code, libraries and device made the answer: name of a file in the run's folder `provenance/`."""


def unanswered(example: Example, error: str, origin: str) -> Prediction:
    """The line of an example that has no answer, for the reason `error`."""
    return Prediction(
        id=example.id,
        text="",
        answer="",
        reference=example.reference,
        error=error,
        seconds=example.seconds,
        meta=example.meta,
        origin=origin,
    )


SHOT = "Speech: {text}\nQuestion: {instruction}\nAnswer: {answer}\n\n"
"""An example before the question, where the task does not say otherwise."""


@dataclass(frozen=True)
class Task(ABC):
    """A task; its dataclass fields are the schema of `conf/task/<name>.yaml`."""

    manifest: Path
    """JSONL manifest; audio paths in it are relative to its folder."""
    limit: int | None = None
    """Use only the first `limit` examples."""
    audio: Any = None
    """AudioOptions: which channel of audio files is read, and the format of files without a header; None: the defaults.
    `Any`, because OmegaConf cannot put one frozen dataclass into another."""

    cluster: str = "auto"
    """Field of the manifest whose values name clips that belong together, for intervals: `speaker`, ...; `auto`: the
    first of speaker, document, talk, dialogue, recording and clip that all clips have; `clips`: each clip by itself."""
    prompts: list[str] = field(default_factory=list)
    """Wordings in the place of the task's `instruction`: each clip is answered under each of them. They are used as
    they stand, `model.instructions` is passed over. Empty: one prompt, the instruction."""
    shots: int = 0
    """How many examples stand as text before the question, the first ones of `shots_manifest`."""
    shots_manifest: Path | None = None
    """Manifest of the same task with the examples that are shown; none of them may be among those that are scored."""
    shots_form: str = SHOT
    """An example as text: `{instruction}`, `{answer}` and fields of its line, such as `{text}`, are replaced."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised whenever prompts, parsing or metrics change: scores of different versions must not be compared."""
    higher_is_better: ClassVar[bool]
    percent: ClassVar[bool] = False
    """Whether the objective itself runs from 0 to 100, as BLEU does; tables show all others times 100."""
    objective_counts: ClassVar[int] = 2
    """How many counts of a tally, from the first one on, `score` reads."""
    share: ClassVar[bool] = False
    """Whether the objective is the share of right answers, by tallies of (0 or 1, 1)."""
    place: ClassVar[int] = 100
    """Where tables put the task among others: those with lower numbers come first."""

    @property
    @abstractmethod
    def objective(self) -> str:
        """Name of the score that sweeps optimise; a subclass may just set it."""

    def checked_examples(self) -> Sequence[Example]:
        """`examples()`, each with how its audio is to be read: `audio`, unless its line has `audio_options`.

        Raises ManifestError that lists every line whose options cannot be used.
        """
        general = AudioOptions() if self.audio is None else self.audio
        if not isinstance(general, AudioOptions):
            raise ConfigError(f"task.audio must be a node with _target_: {AudioOptions.__module__}.AudioOptions")
        examples, problems = self.examples(), Problems()
        own = False
        for example in examples:
            try:
                own = own or _reading(general, example) is not general
            except ConfigError as error:
                problems.add(f"example {example.id}: {error}")
        problems.refuse(self.manifest)
        return examples if not own and general == AudioOptions() else mapped(examples, partial(_as_read, general))

    @abstractmethod
    def examples(self) -> Sequence[Example]:
        """Read and check the whole manifest; one error lists every bad line (file, line, field)."""

    @abstractmethod
    def parse(self, text: str, example: Example) -> str:
        """The answer in a model's raw text; empty if there is none."""

    @property
    def generates(self) -> bool:
        """Whether the model answers in its own words."""
        return True

    def wordings(self, example: Example) -> Mapping[str, Sequence[str]]:
        """By option, the answers whose likelihood is to be scored; empty where none is."""
        return {}

    def decide(self, text: str, likelihoods: Mapping[str, Sequence[Sequence[float]]], example: Example) -> str:
        """The answer, from the model's raw text and what `wordings` scored."""
        return self.parse(text, example)

    def interpreted(self, prediction: Prediction) -> bool:
        """Whether the answer had to be found in the model's text: that holds more than the answer alone."""
        return bool(prediction.answer) and prediction.answer != " ".join(prediction.text.split())

    def check_ready(self) -> None:  # noqa: B027  # most tasks need nothing
        """Raise ConfigError where something that scoring needs is missing; called before weights are loaded."""

    def scorer(self) -> dict[str, str]:
        """What computed the scores (metric signature, normaliser, versions), to be recorded beside them."""
        return {}

    def metrics(
        self, predictions: Sequence[Prediction], *watching: Callable[[Prediction, Sequence[float]], None]
    ) -> dict[str, float]:
        """Corpus scores over all predictions, failed ones included as empty answers.

        The objective is the score of the summed tallies. `unanswered` counts empty answers where something was to be
        said, `interpreted` the answers that stood in a longer text. watching: see each prediction with its tally.
        """
        sums: list[float] = []
        unanswered = interpreted = 0
        for (prediction,), (counts,) in tallied(self.tally, self.gathered(predictions)):
            for watch in watching:
                watch(prediction, counts)
            sums = [total + count for total, count in zip(sums, counts, strict=True)] if sums else list(counts)
            unanswered += not prediction.answer and bool(prediction.reference)
            interpreted += self.interpreted(prediction)
        return {
            self.objective: self.score(sums),
            **self.details_of(sums),
            **self.details(predictions),
            "unanswered": unanswered,
            "interpreted": interpreted,
        }

    def gathered(self, predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        """The predictions as they are scored: as they stand, unless several of them answer one thing together."""
        return predictions

    def details_of(self, sums: Sequence[float]) -> dict[str, float]:
        """Further scores and counts that follow from the summed tallies."""
        return {}

    def details(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Further scores and counts over all predictions, which may be millions: walk through them, make no list."""
        return {}

    def tally(self, prediction: Prediction) -> tuple[float, ...]:
        """One prediction's counts, from whose sums over any set `score` makes the objective: what resampling needs.

        There may be further counts for `details_of`.

        As it stands: right answers and all answers, for an objective that is the share of right ones.
        """
        return float(prediction.answer == prediction.reference), 1.0

    def score(self, sums: Sequence[float]) -> float:
        """The objective of a set of predictions, from the sums of their tallies."""
        return sums[0] / sums[1]

    def scores(self, sums_RK: "Floats") -> "Floats":
        """`score` of R sets at once, from their summed tallies; faster where a task computes whole columns."""
        import numpy as np

        return np.array([self.score(sums) for sums in sums_RK.tolist()], dtype=np.float64)

    def further(self) -> Mapping[str, "Score"]:
        """Scores beside the objective of which intervals are wanted, by name, as functions of all counts of a tally."""
        return {}

    def measured(self, name: str | None = None) -> "Score":
        """The objective, or one of `further`, as a function of tallies: what statistics need.

        Raises ConfigError for another name.
        """
        from fastadasp.statistics.score import Score

        if name in (None, self.objective):
            high = 100.0 if self.percent else 1.0
            return Score(
                self.scores, self.higher_is_better, high=high, share=self.share, counts=(0, self.objective_counts)
            )
        further = self.further()
        if name not in further:
            known = ", ".join((self.objective, *further))
            raise ConfigError(f"task {self.name} has no score {name!r} with an interval; it has {known}")
        return further[name]

    def refuse(self, records: Sequence[Record], problem: Callable[[Record], str | None]) -> None:
        """Raise one ManifestError with every line in which `problem` finds one."""
        problems = Problems()
        for record in records:
            if (text := problem(record)) is not None:
                problems.add(f"line {record.where.rpartition(':')[2]}: {text}")
        problems.refuse(self.manifest)


def _reading(general: AudioOptions, example: Example) -> AudioOptions:
    """How the audio of an example is read. Raises ConfigError for options of its own that cannot be used."""
    own = example.meta.get("audio_options")
    return general if own is None else general.updated(own)


def _as_read(general: AudioOptions, example: Example) -> Example:
    return replace(example, reading=_reading(general, example))
