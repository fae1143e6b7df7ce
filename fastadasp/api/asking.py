"""`fastadasp.transcribe` and `fastadasp.ask`: answers about lists of recordings, under a token-reduction method."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastadasp.api.loading import SpeechModel
from fastadasp.api.recordings import RecordingError, Recordings, as_files
from fastadasp.config.messages import suggest
from fastadasp.config.paths import options
from fastadasp.data.audio import AudioError, bounds
from fastadasp.data.sources import Cut, Source
from fastadasp.errors import ConfigError
from fastadasp.files.text import short
from fastadasp.models.base import Generation
from fastadasp.reduction.method import MergeMethod
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Example
from fastadasp.tasks.reading.joining import joined as join_texts

_AHEAD = 8
"""Batches whose audio is read before the first of them runs, so that prompts of like length can run together."""


@dataclass(frozen=True)
class Answer:
    """The answer of the model to one recording; `str(answer)` and `print(answer)` give its text."""

    text: str
    """Empty where `error` is set."""
    audio_tokens: int = 0
    """Audio tokens of the prompt."""
    audio_tokens_left: int = 0
    """Audio tokens that leave the decoder's last layer, after all reductions."""
    complete: bool = True
    """False where the limit of new tokens (`Generation.max_new_tokens`) ended the answer."""
    error: str | None = None
    """Why there is no answer."""

    def __str__(self) -> str:
        return self.text


def transcribe(
    model: SpeechModel,
    audio: Recordings,
    *,
    method: MergeMethod | None = None,
    generation: Generation | None = None,
    batch_size: int = 8,
    window_seconds: float | None = None,
    progress: bool = True,
    keep_going: bool = False,
) -> list[Answer]:
    """Transcripts of recordings, in their order; what a chatty model says around a transcript is taken off.

    The request is worded as the model wants it (`instructions` of its option), else "Transcribe the speech.".

    window_seconds: for recordings of any length, hours among them: each is read window by window, cut at the quietest
    place of a window's last two seconds, and what is said in the windows is joined. At least 1, and at most what the
    model reads at once (`model.max_seconds`); 30 suits most models. None: as a whole, and one that is longer than the
    model allows is refused.

    All other arguments are as in `ask`. Raises ConfigError also for windows that make no sense, and RecordingError for
    windows of a prompt that holds several recordings.
    """
    if window_seconds is not None and not window_seconds >= 1:
        raise ConfigError(f"window_seconds must be at least 1, or None for whole recordings; got {window_seconds}")
    _check(model, method, generation, batch_size, ASR.name)
    task = ASR(Path(), window_seconds=window_seconds, search_seconds=min(2.0, (window_seconds or 4.0) / 2))
    read = partial(_recording_windows, task)
    run = partial(_run, model, method, generation or _default())
    found = _asked(model, audio, task.instruction, task.name, read, run, batch_size, progress, keep_going)
    asked = Example(id="", audio=(), instruction=task.instruction, reference="", task=task.name)
    return [joined([replace(one, text=task.parse(one.text, asked)) for one in windows]) for windows in found]


def ask(
    model: SpeechModel,
    audio: Recordings,
    question: str | Sequence[str],
    *,
    task: str = "",
    method: MergeMethod | None = None,
    generation: Generation | None = None,
    batch_size: int = 8,
    progress: bool = True,
    keep_going: bool = False,
) -> list[Answer]:
    """Answers to a question about each recording, in the order of the recordings.

    model: from `fastadasp.load`.
    audio: files, arrays at 16 kHz, pairs (samples, rate), or a mixture; a list inside the list is one prompt that holds
    several recordings (see `fastadasp.api.recordings`).
    question: one for all, or a list with one for each.
    task: asr, st, er, ...: word the question as this model wants it for that task, where its option says how.
    method: how audio tokens are reduced, such as `FastAdaSP(ratio=0.3)`; None reads all of them.
    generation: how answers are decoded; None: greedily, at most 256 tokens.
    batch_size: prompts that run together; halved where memory runs out.
    progress: show a bar on the error stream.
    keep_going: give recordings that cannot be read an Answer with an `error`, instead of raising at the first one.

    Raises RecordingError or AudioError for what is no readable audio, and ConfigError for a bad setting.
    """
    _check(model, method, generation, batch_size, task)
    run = partial(_run, model, method, generation or _default())
    found = _asked(model, audio, question, task, _whole, run, batch_size, progress, keep_going)
    return [answer for (answer,) in found]


def joined(windows: Sequence[Answer]) -> Answer:
    """One answer about a recording out of those about its windows, in their order."""
    errors = [one.error for one in windows if one.error is not None]
    return Answer(
        text=join_texts([one.text for one in windows]) if len(windows) > 1 else windows[0].text,
        audio_tokens=sum(one.audio_tokens for one in windows),
        audio_tokens_left=sum(one.audio_tokens_left for one in windows),
        complete=all(one.complete for one in windows),
        error=errors[0] if errors else None,
    )


def _default() -> Generation:
    return Generation(max_new_tokens=256)


def _whole(files: tuple[Path, ...], _: str) -> list[tuple[Source, ...]]:
    return [files]


def _recording_windows(task: ASR, files: tuple[Path, ...], name: str) -> list[tuple[Source, ...]]:
    """The windows of one recording, each for a prompt of its own."""
    if task.window_seconds is None:
        return [files]
    if len(files) > 1:
        raise RecordingError(
            f"{name} is a prompt of {len(files)} recordings; one recording is cut into windows "
            f"(window_seconds={task.window_seconds:g}): give each of them by itself, or window_seconds=None"
        )
    try:
        lengths = (task.window_seconds, task.search_seconds, task.overlap_seconds)
        return [(Cut(files[0], start, seconds),) for start, seconds in bounds(files[0], *lengths)]
    except AudioError:
        return [files]  # which says why, when it is read


def _asked(
    model: SpeechModel,
    audio: Recordings,
    question: str | Sequence[str],
    task: str,
    read: Callable[[tuple[Path, ...], str], list[tuple[Source, ...]]],
    run: Callable[[Sequence["_Prompt"]], list[Answer]],
    batch_size: int,
    progress: bool,
    keep_going: bool,
) -> list[list[Answer]]:
    """For each recording (or list of them) the answers about its parts, which `read` gives of its files and name."""
    with TemporaryDirectory() as name:
        recordings = as_files(audio, Path(name), must_exist=not keep_going)
        parts = [read(files, f"audio[{place}]") for place, files in enumerate(recordings)]
        examples = _examples(parts, question, task)
        prepare = partial(_prepare, model, f"{name}/", keep_going)
        answers: dict[int, Answer] = {}
        with _bar(len(examples), progress) as advance:
            for start in range(0, len(examples), _AHEAD * batch_size):
                ahead = range(start, min(start + _AHEAD * batch_size, len(examples)))
                prepared = [prepare(place, examples[place]) for place in ahead]
                answers |= {item.place: item.failed for item in prepared if item.failed is not None}
                advance(len(ahead) - sum(item.failed is None for item in prepared))
                for batch in _batches([item for item in prepared if item.failed is None], batch_size):
                    answers |= zip((prompt.place for prompt in batch), run(batch), strict=True)
                    advance(len(batch))
    in_order = iter(range(len(examples)))
    return [[answers[next(in_order)] for _ in some] for some in parts]


def _check(model: object, method: object, generation: object, batch_size: object, task: str) -> None:
    """ConfigError for an argument of another kind, which would fail far from here."""
    if not isinstance(model, SpeechModel):
        raise ConfigError(f"model must be what fastadasp.load(...) gives, got a {type(model).__name__}")
    if method is not None and not isinstance(method, MergeMethod):
        what = f"the class {method.__name__}" if isinstance(method, type) else repr(method)
        raise ConfigError(f"method must be a method with its settings, such as FastAdaSP(ratio=0.3), got {what}")
    if generation is not None and not isinstance(generation, Generation):
        raise ConfigError(f"generation must be a Generation(...), such as Generation(num_beams=4), got {generation!r}")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size must be a whole number from 1 up, got {batch_size!r}")
    if task and task not in options("task"):
        raise ConfigError(f"task={task!r} is no task; {suggest(task, options('task'))}")


@dataclass(frozen=True)
class _Prompt:
    """One prepared prompt and its place in the user's list, or why it could not be prepared."""

    place: int
    prepared: Any = None
    length: int = 0
    key: Hashable = None
    failed: Answer | None = None


def _examples(parts: Sequence[Sequence[tuple[Source, ...]]], question: str | Sequence[str], task: str) -> list[Example]:
    """One for each part of each recording."""
    questions = [question] * len(parts) if isinstance(question, str) else list(question or ())
    if not all(isinstance(one, str) for one in questions):
        raise ConfigError(
            f"question must be a text, or a list with a text for each recording, got {short(str(question))}"
        )
    if len(questions) != len(parts):
        raise ConfigError(f"{len(questions)} questions are given for {len(parts)} recordings; give one, or as many")
    return [
        Example(id=f"audio[{place}]", audio=audio, instruction=asked, reference="", task=task)
        for place, (some, asked) in enumerate(zip(parts, questions, strict=True))
        for audio in some
    ]


def _prepare(model: SpeechModel, folder: str, keep_going: bool, place: int, example: Example) -> _Prompt:
    """folder: of samples that were written to files, a place that means nothing to the user."""
    try:
        prepared = model.adapter.prepare(example)
    except AudioError as error:
        told = str(error).replace(folder, "")
        if not keep_going:
            raise AudioError(told) from error
        return _Prompt(place, failed=Answer("", error=told))
    return _Prompt(place, prepared, sum(model.adapter.prompt_tokens(prepared)), model.adapter.batch_key(prepared))


def _batches(prompts: Sequence[_Prompt], batch_size: int) -> Iterator[list[_Prompt]]:
    """Prompts that the model can read together, longest first."""
    together: dict[Hashable, list[_Prompt]] = {}
    for prompt in sorted(prompts, key=lambda prompt: -prompt.length):
        together.setdefault(prompt.key, []).append(prompt)
    for group in together.values():
        yield from (group[start : start + batch_size] for start in range(0, len(group), batch_size))


def _run(
    model: SpeechModel, method: MergeMethod | None, generation: Generation, batch: Sequence[_Prompt]
) -> list[Answer]:
    from fastadasp.evaluation.halving import in_halves
    from fastadasp.merge.none import NoReduction

    return in_halves(partial(_answered, model, method or NoReduction(), generation), batch)


def _answered(
    model: SpeechModel, method: MergeMethod, generation: Generation, batch: Sequence[_Prompt]
) -> list[Answer]:
    from fastadasp.evaluation.answering import answer

    adapter = model.adapter
    inputs = adapter.encode([prompt.prepared for prompt in batch])
    said = answer(adapter, method, generation, inputs)
    ends = model.transformers_model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return [
        Answer(
            text=text.strip(),
            audio_tokens=tokens,
            audio_tokens_left=left,
            complete=len(ids) < generation.max_new_tokens or any(end in ids for end in ends),
        )
        for text, tokens, left, ids in zip(
            said.texts, said.audio_tokens, said.trace.audio_tokens[-1].tolist(), said.ids.tolist(), strict=True
        )
    ]


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar; what it gives is called with the number of answers that have come."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("answers"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("answers", total=total)
        yield lambda count: bar.update(task, advance=count)
