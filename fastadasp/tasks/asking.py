"""What a run asks: each clip under each of the task's prompts, after examples that stand there as text."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import partial

from fastadasp.data.sources import files_of
from fastadasp.errors import ConfigError
from fastadasp.files.shelf import kept, mapped
from fastadasp.files.text import short, shown
from fastadasp.tasks.base import Example, Task

CLIP, PROMPT = "clip", "prompt"
"""Fields of an example that is asked in several ways: the manifest's id, and the number of the prompt from 1."""


def asked(task: Task) -> Sequence[Example]:
    """All examples of a run, checked: `task.checked_examples()` under each of `task.prompts`, with `task.shots`.

    Under several prompts, an id gets the prompt's number (`clip-7@2`), and the further fields `clip` and `prompt`.
    Raises ConfigError and ManifestError.
    """
    context = shown_before(task)
    if not task.prompts:
        examples = task.checked_examples()
    else:
        _check_prompts(task)
        examples = kept(_under_prompts(task))
    if not context:
        return examples
    _refuse_shown(task, examples)
    return mapped(examples, partial(_after, context))


def shown_before(task: Task) -> str:
    """The examples that stand as text before every question; empty where none does."""
    if task.shots < 0:
        raise ConfigError(f"task.shots must be 0 or a number of examples, got {task.shots}")
    if not task.shots:
        return ""
    examples = _shots(task)
    return "".join(_as_text(task, example) for example in examples)


def _shots(task: Task) -> Sequence[Example]:
    if task.shots_manifest is None:
        raise ConfigError(
            f"task.shots={task.shots} needs task.shots_manifest: a manifest of the same task with examples to show, "
            "such as one of the training set"
        )
    found = replace(task, manifest=task.shots_manifest, limit=task.shots, shots=0, prompts=[]).examples()
    if len(found) < task.shots:
        raise ConfigError(f"task.shots={task.shots}, but {short(task.shots_manifest)} holds {len(found)} examples")
    return found


def _as_text(task: Task, example: Example) -> str:
    given = {**example.meta, "instruction": example.instruction, "answer": example.reference}
    try:
        return task.shots_form.format_map(given)
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise ConfigError(
            f"task.shots_form={task.shots_form!r} cannot be filled ({error}) for example {shown(example.id)} of "
            f"{short(task.shots_manifest)}; it may use {', '.join(f'{{{name}}}' for name in given)}"
        ) from error


def _check_prompts(task: Task) -> None:
    if "instruction" not in {field.name for field in fields(task)}:
        raise ConfigError(f"task {task.name} has no instruction, in whose place task.prompts could stand")
    if any(not prompt.strip() for prompt in task.prompts) or len(set(task.prompts)) < len(task.prompts):
        raise ConfigError(f"task.prompts must be unlike texts, none of them blank; got {shown(task.prompts)}")


def _under_prompts(task: Task) -> Iterator[Example]:
    """The clips in the manifest's order, each under all prompts before the next one."""
    worded = [replace(task, instruction=prompt, prompts=[], shots=0).checked_examples() for prompt in task.prompts]  # type: ignore[call-arg]
    for versions in zip(*worded, strict=True):
        for number, example in enumerate(versions, 1):
            meta = {**example.meta, CLIP: example.id, PROMPT: number}
            yield replace(example, id=f"{example.id}@{number}", meta=meta, verbatim=True)


def _after(context: str, example: Example) -> Example:
    return replace(example, context=context)


def _refuse_shown(task: Task, examples: Sequence[Example]) -> None:
    """ConfigError where an example that is shown with its answer is scored as well: the same recording."""
    files = {file for example in _shots(task) for source in example.audio for file in files_of(source)}
    for example in examples:
        if any(file in files for source in example.audio for file in files_of(source)):
            raise ConfigError(
                f"task.shots shows the recording of example {shown(example.id)} together with its answer, and the run "
                f"would score it; {short(task.shots_manifest)} must hold other recordings than {short(task.manifest)}"
            )
