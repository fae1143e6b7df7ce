"""`fastadasp.transcribe` and `fastadasp.ask`: answers about lists of recordings, under a token-reduction method."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastadasp.api.loading import SpeechModel
from fastadasp.api.recordings import Recordings, as_files
from fastadasp.data.audio import AudioError
from fastadasp.errors import ConfigError
from fastadasp.models.base import Generation
from fastadasp.reduction.method import MergeMethod
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Example

_WINDOW = 8
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
    progress: bool = True,
    keep_going: bool = False,
) -> list[Answer]:
    """Transcripts of recordings, in their order; what a chatty model says around a transcript is taken off.

    The request is worded as the model wants it (`instructions` of its option), else "Transcribe the speech.". `ask`
    explains the arguments and the errors.
    """
    answers = ask(
        model,
        audio,
        ASR.instruction,
        task=ASR.name,
        method=method,
        generation=generation,
        batch_size=batch_size,
        progress=progress,
        keep_going=keep_going,
    )
    asked = Example(id="", audio=(), instruction=ASR.instruction, reference="", task=ASR.name)
    return [replace(answer, text=ASR(Path()).parse(answer.text, asked)) for answer in answers]


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
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size must be a whole number from 1 up, got {batch_size!r}")
    run = partial(_run, model, method, generation or Generation(max_new_tokens=256))
    with TemporaryDirectory() as name:
        examples = _examples(as_files(audio, Path(name), must_exist=not keep_going), question, task)
        prepare = partial(_prepare, model, f"{name}/", keep_going)
        answers: dict[int, Answer] = {}
        with _bar(len(examples), progress) as advance:
            for start in range(0, len(examples), _WINDOW * batch_size):
                window = range(start, min(start + _WINDOW * batch_size, len(examples)))
                prepared = [prepare(place, examples[place]) for place in window]
                answers |= {item.place: item.failed for item in prepared if item.failed is not None}
                advance(len(window) - sum(item.failed is None for item in prepared))
                for batch in _batches([item for item in prepared if item.failed is None], batch_size):
                    answers |= zip((prompt.place for prompt in batch), run(batch), strict=True)
                    advance(len(batch))
    return [answers[place] for place in range(len(examples))]


@dataclass(frozen=True)
class _Prompt:
    """One prepared prompt and its place in the user's list, or why it could not be prepared."""

    place: int
    prepared: Any = None
    length: int = 0
    key: Hashable = None
    failed: Answer | None = None


def _examples(prompts: Sequence[tuple[Path, ...]], question: str | Sequence[str], task: str) -> list[Example]:
    questions = [question] * len(prompts) if isinstance(question, str) else list(question)
    if len(questions) != len(prompts):
        raise ConfigError(f"{len(questions)} questions are given for {len(prompts)} recordings; give one, or as many")
    return [
        Example(id=f"audio[{place}]", audio=files, instruction=asked, reference="", task=task)
        for place, (files, asked) in enumerate(zip(prompts, questions, strict=True))
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
