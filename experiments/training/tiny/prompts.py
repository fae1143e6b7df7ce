"""What the model is taught: each item's possible prompts and answers.

Beside the tasks' own prompts there are auxiliary ones, which only training uses: they teach the same skills from text
(cheap: a passage has ten times fewer text than audio tokens), ask several questions of one passage in turns (the audio
is the dear part), and let one item serve several tasks.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.training.tiny.items import Item
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA
from fastadasp.tasks.st import ST
from fastadasp.tasks.sv import SV

*_FIRST, _LAST = ER.own_labels
INSTRUCTIONS = {
    "asr": ASR.instruction,
    "st": ST.instruction.replace("{language}", "German"),
    "er": ER.instruction.replace("{labels}", f"{', '.join(_FIRST)} or {_LAST}"),
    "sv": SV.instruction,
}
ASR_SHARE_OF_ST = 0.4
"""Of the sentences with a translation, those that are asked for their transcript."""
ASR_SHARE_OF_SQA = 0.04
CHOICES_SHARE, OPEN_SHARE = 0.4, 0.35
"""Of the questions, those with choices and those without, which teach the same search for a third of the tokens; the
rest ask for the sentence that tells the answer."""
QUOTE = "Quote the sentence."
RETELL = "Tell it again in another order."
RETELL_SHARE = 0.4
"""Of the passages, those to be told again: nearly every token is found by the words before it, so the search begins."""
PRONOUNS = frozenset(("she", "he", "her", "him", "it"))
PAIRS = "Repeat the pairs."
MOST_TURNS = 8
STRETCH_SHARE, MOST_STRETCH = 0.8, 4
"""Of the passages and pairs without audio, those that stand in for recognised audio; a word of speech takes about ten
positions."""


@dataclass(frozen=True)
class Turn:
    """One thing that the user asks, and the answer."""

    instruction: str
    answer: str


@dataclass(frozen=True)
class Lesson:
    """One prompt with its answer, and further questions about the same audio with theirs."""

    turns: tuple[Turn, ...]
    passage: str | None = None
    """Text that stands in for the audio; None for the audio itself."""
    stretch: int = 0
    """Where not 0, the passage stands in for audio that the layers before `ctc_layer` have recognised: its tokens
    come in there, about so many positions apart. What is learnt from it then lies in layers that audio can use too."""
    transcript: str | None = None
    """Lower-case words of the audio, for the CTC loss on its positions; None where they are unknown."""

    @property
    def instruction(self) -> str:
        """What is asked first."""
        return self.turns[0].instruction

    @property
    def answer(self) -> str:
        """The answer to it."""
        return self.turns[0].answer


def question(asked: Mapping[str, Any]) -> str:
    """The instruction of spoken question answering, as the task words it, from `question` and `choices`."""
    choices = "; ".join(f"{letter}. {choice}" for letter, choice in zip("ABCD", asked["choices"], strict=True))
    return SQA.instruction.replace("{choices}", choices).replace("{question}", asked["question"])


def right_choice(asked: Mapping[str, Any]) -> str:
    """The text of the right choice: what the model answers (a letter would have to be learnt without any meaning)."""
    return str(asked["choices"]["ABCD".index(asked["answer"])])


def task_lesson(item: Item, task: str | None = None) -> Lesson:
    """The item as its task (or another that it has the fields for) asks it at inference."""
    fields, task = item.fields, task or item.task
    match task:
        case "asr":
            turn = Turn(INSTRUCTIONS[task], fields["text"])
        case "st":
            turn = Turn(INSTRUCTIONS[task], fields["translation"])
        case "sqa":
            turn = Turn(question(fields), right_choice(fields))
        case "pairs":
            turn = Turn(PAIRS, fields["again"])
        case _:
            turn = Turn(INSTRUCTIONS[task], fields["label"])
    return Lesson((turn,), transcript=fields.get("text"))


def draw_lesson(item: Item, rng: random.Random) -> Lesson:
    """A lesson of the item, drawn with its task's chances; from text where the item has no audio."""
    if item.task == "sqa" and not (item.clips and rng.random() < ASR_SHARE_OF_SQA):
        lesson = Lesson(_questions(item, rng), transcript=item.fields.get("text"))
    elif item.task == "sqa" or (item.task == "st" and item.clips and rng.random() < ASR_SHARE_OF_ST):
        lesson = task_lesson(item, "asr")
    else:
        lesson = task_lesson(item)
    if item.clips:
        return lesson
    stretch = rng.randint(1, MOST_STRETCH) if item.task in ("sqa", "pairs") and rng.random() < STRETCH_SHARE else 0
    return replace(lesson, passage=item.fields["text"], stretch=stretch, transcript=None)


def _questions(item: Item, rng: random.Random) -> tuple[Turn, ...]:
    """Some questions: with choices, without, for the sentence that tells it. Or all that was told in another order:
    instead of questions to a text, after them to audio, of which as much as possible is to be made."""
    known = item.fields.get("questions") or [item.fields]
    told = _retold(known, rng) if rng.random() < RETELL_SHARE else None
    if told and not item.clips:
        return (told,)
    asked = tuple(_turn(one, rng) for one in rng.sample(known, min(len(known), MOST_TURNS)))
    return (*asked, told) if told else asked


def _retold(known: Sequence[Mapping[str, Any]], rng: random.Random) -> Turn | None:
    """The sentences that tell of facts, shuffled; without those that say of whom only by a pronoun."""
    told = [asked["evidence"] for asked in known if "evidence" in asked]
    told = [sentence for sentence in told if not PRONOUNS.intersection(sentence.split())]
    return Turn(RETELL, " ".join(rng.sample(told, len(told)))) if told else None


def _turn(asked: Mapping[str, Any], rng: random.Random) -> Turn:
    kind = rng.random()
    if kind < CHOICES_SHARE or "evidence" not in asked:
        # In a new order: no place in the list can be learnt by heart.
        return Turn(question({**asked, "choices": rng.sample(asked["choices"], 4)}), right_choice(asked))
    if kind < CHOICES_SHARE + OPEN_SHARE:
        return Turn(asked["question"], right_choice(asked))
    return Turn(f"{asked['question']} {QUOTE}", asked["evidence"])
