"""Which lessons come when: a plan for each epoch over whatever feature shards exist by then."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.training.tiny.items import ITEMS, Item, complete, read_items, read_texts
from experiments.training.tiny.prompts import Lesson, draw_lesson

TEXT_TOKENS_PER_WORD = 1.6
PROMPT_TOKENS = 12


@dataclass(frozen=True)
class Mix:
    """Shares of an epoch's tokens."""

    asr: float = 0.5
    st: float = 0.2
    sqa: float = 0.2
    er: float = 0.1
    sv: float = 0.05
    st_text: float = 0.05
    sqa_text: float = 0.1
    pairs_text: float = 0.1


@dataclass
class Curriculum:
    """Plans epochs: the items seen least come first. Its state is how often each item has been seen."""

    features: Path
    texts: Path
    """Folder of text-only items, one file a task (`sqa.jsonl`)."""
    mix: Mix
    batch_tokens: int
    batches: int
    """Batches in an epoch."""
    seed: int = 0
    longest: int = 2000
    """Items of more audio tokens are left out: attention finds its way through short ones first ..."""
    growth: int = 0
    """... and this many more are allowed with every epoch."""
    first: int = 0
    """The epoch in which `longest` holds."""
    seen: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    _items: dict[str, list[Item]] = field(default_factory=dict, repr=False)

    def available(self) -> list[Path]:
        """The feature folders and text files that are complete by now."""
        return [*complete(self.features, ITEMS), *sorted(self.texts.glob("*.jsonl"))]

    def scan(self, paths: list[Path]) -> None:
        """Take in those of the folders and files that are new."""
        for path in paths:
            if path.name not in self._items:
                self._items[path.name] = read_items(path) if path.is_dir() else read_texts(path)
        for name, items in self._items.items():
            known = self.seen.get(name, np.zeros(0, np.int32))[: len(items)]
            self.seen[name] = np.pad(known, (0, len(items) - len(known)))  # a file of texts may have grown

    def plan(self, epoch: int, ranks: int = 1) -> list[list[tuple[Item, Lesson]]]:
        """The epoch's batches; marks their items as seen. The same state and epoch give the same plan.

        Each `ranks` batches in a row have about the same length, so that processes that share them wait little.
        """
        rng = random.Random(f"{self.seed}/{epoch}")
        lessons: list[tuple[int, Item, Lesson]] = []
        kinds = {_kind(item) for items in self._items.values() for item in items}
        shares = {kind: float(getattr(self.mix, kind)) for kind in sorted(kinds)}
        for kind, share in shares.items():
            budget = self.batch_tokens * self.batches * share / sum(shares.values())
            lessons += self._draw(kind, budget, self.longest + self.growth * max(0, epoch - self.first), rng)
        batches = self._cut(sorted(lessons, key=lambda lesson: lesson[0] + rng.random()))
        groups = [batches[i : i + ranks] for i in range(0, len(batches) - ranks + 1, ranks)]
        rng.shuffle(groups)
        return [batch for group in groups for batch in group]

    def _draw(self, kind: str, budget: float, longest: int, rng: random.Random) -> list[tuple[int, Item, Lesson]]:
        """Lessons of one kind worth `budget` tokens, of at most `longest` audio tokens, from the items seen least."""
        pool = [
            (int(self.seen[name][i]) + 2 * rng.random(), name, i, item)
            for name, items in sorted(self._items.items())
            for i, item in enumerate(items)
            if _kind(item) == kind and item.tokens <= longest
        ]
        pool.sort(key=lambda entry: entry[0])
        out: list[tuple[int, Item, Lesson]] = []
        for _, name, i, item in pool:
            if budget <= 0:
                break
            lesson = draw_lesson(item, rng)
            out.append((_length(item, lesson), item, lesson))
            budget -= out[-1][0]
            self.seen[name][i] += 1
        return out

    def _cut(self, lessons: list[tuple[int, Item, Lesson]]) -> list[list[tuple[Item, Lesson]]]:
        """Cut lessons sorted by length into batches of at most `batch_tokens` with padding."""
        batches: list[list[tuple[Item, Lesson]]] = [[]]
        for length, item, lesson in lessons:
            if batches[-1] and (len(batches[-1]) + 1) * length > self.batch_tokens:
                batches.append([])
            batches[-1].append((item, lesson))
        return [batch for batch in batches if batch]


def _kind(item: Item) -> str:
    """The share of the mix that an item belongs to."""
    return item.task if item.clips else f"{item.task}_text"


def _length(item: Item, lesson: Lesson) -> int:
    """About the lesson's length in tokens."""
    spoken = " ".join([lesson.passage or "", *(f"{turn.instruction} {turn.answer}" for turn in lesson.turns)])
    words = len(spoken.split()) + len((lesson.passage or "").split()) * max(0, lesson.stretch - 1)
    audio = item.tokens if lesson.passage is None else 0
    return audio + PROMPT_TOKENS * len(lesson.turns) + int(TEXT_TOKENS_PER_WORD * words)
