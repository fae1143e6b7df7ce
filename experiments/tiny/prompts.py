"""What the model is taught: each item's possible prompts and answers.

Beside the four tasks' own prompts there are auxiliary ones, which only training uses: they teach the same skills from
text (cheap: a passage has ten times fewer text than audio tokens) and let one item serve several tasks.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from experiments.tiny.items import Item

INSTRUCTIONS = {
    "asr": "Transcribe the speech.",
    "st": "Translate the speech into German.",
    "er": "What is the speaker's emotion? Answer happy, sad, angry or neutral.",
    "sv": "Is there only one speaker in the audio?",
}
ASR_SHARE_OF_ST = 0.3
"""Of the sentences with a translation, those that are asked for their transcript."""
LETTER_SHARE, WORDS_SHARE = 0.65, 0.25


@dataclass(frozen=True)
class Lesson:
    """One prompt and its answer."""

    instruction: str
    answer: str
    passage: str | None = None
    """Text that stands in for the audio; None for the audio itself."""
    transcript: str | None = None
    """Lower-case words of the audio, for the CTC loss on its positions; None where they are unknown."""


def question(asked: Mapping[str, Any]) -> str:
    """The instruction of spoken question answering, as the task words it, from `question` and `choices`."""
    choices = "; ".join(f"{letter}. {choice}" for letter, choice in zip("ABCD", asked["choices"], strict=True))
    return f"{asked['question']} {choices}."


def task_lesson(item: Item, task: str | None = None) -> Lesson:
    """The item as its task (or another that it has the fields for) asks it at inference."""
    fields, task = item.fields, task or item.task
    transcript = fields.get("text")
    if task == "asr":
        return Lesson(INSTRUCTIONS[task], fields["text"], transcript=transcript)
    if task == "st":
        return Lesson(INSTRUCTIONS[task], fields["translation"], transcript=transcript)
    if task == "sqa":
        return Lesson(question(fields), fields["answer"], transcript=transcript)
    return Lesson(INSTRUCTIONS[task], fields["label"], transcript=transcript)


def draw_lesson(item: Item, rng: random.Random) -> Lesson:
    """A lesson of the item, drawn with its task's chances; from text where the item has no audio."""
    if item.task == "sqa":
        lesson = _sqa(_another_question(item, rng), rng)
    elif item.task == "st" and item.clips:
        lesson = task_lesson(item, "asr" if rng.random() < ASR_SHARE_OF_ST else "st")
    else:
        lesson = task_lesson(item)
    return lesson if item.clips else replace(lesson, passage=item.fields["text"], transcript=None)


def _another_question(item: Item, rng: random.Random) -> Item:
    """The item with any of its passage's questions, the choices in a new order: no letter can be learnt by heart."""
    asked = rng.choice(item.fields.get("questions") or [item.fields])
    choices = list(asked["choices"])
    right = choices["ABCD".index(asked["answer"])]
    rng.shuffle(choices)
    new = {"question": asked["question"], "choices": choices, "answer": "ABCD"[choices.index(right)]}
    return replace(item, fields={**item.fields, **new})


def _sqa(item: Item, rng: random.Random) -> Lesson:
    """Mostly the letter; else the answer in words (the same search, no matching) or, rarely, the transcript."""
    kind = rng.random()
    if kind < LETTER_SHARE:
        return task_lesson(item)
    if kind < LETTER_SHARE + WORDS_SHARE or not item.clips:
        right = item.fields["choices"]["ABCD".index(item.fields["answer"])]
        return Lesson(item.fields["question"], right, transcript=item.fields.get("text"))
    return task_lesson(item, "asr")
