"""What a report compares: the scores of one task's runs, by method and amount of reduction, as plain data.

`tabulate.py` makes tables of runs, `stored.py` reads those of a written report.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fastadasp.statistics.intervals import Interval

FULL_TOKENS = "full tokens"
FEW = 30
"""Tables of fewer examples say so: where half of the answers are right, the interval is then 34 points wide or more."""


@dataclass(frozen=True)
class Cell:
    """One run in a table."""

    amount: tuple[str, float] | None
    """What it was asked for, as key of the `merge` node and value; None for full tokens."""
    score: Interval
    difference: Interval | None
    """From full tokens, on the same resamples; None where the table has no run with full tokens."""
    facts: Mapping[str, Any]
    """Everything else that is known of the run, as it stands in the report's JSON: `quality`, `audio_tokens_removed`,
    `flops_paper_saved`, `kv_bytes_saved`, `layers`, `measured`, `settings` and so on."""
    answers: Sequence[str] = ()
    """By example; empty where they are not at hand."""

    @property
    def name(self) -> str:
        """What tells it from all other runs: its fingerprint."""
        return str(self.facts["fingerprint"])

    @property
    def flops_saved(self) -> float:
        """Share of the prefill's FLOPs saved, by the papers' formula; 0 where nothing could be answered."""
        return float(self.facts.get("flops_paper_saved", 0.0))

    @property
    def cache_freed(self) -> float:
        """Share of the prompt's cache that is not held, text included."""
        return float(self.facts.get("kv_bytes_saved", 0.0))

    @property
    def audio_removed(self) -> float:
        """Share of the audio tokens that went, as `merge.ratio` counts them; for a cache method, of their cache.

        0 where it is not known: of a model behind a server.
        """
        return float(self.facts.get("audio_tokens_removed") or 0.0)

    def described(self) -> dict[str, Any]:
        """As JSON, without the answers."""
        return {
            "asked": None if self.amount is None else dict([self.amount]),
            "score": asdict(self.score),
            "difference_from_full_tokens": None if self.difference is None else asdict(self.difference),
            **self.facts,
        }


@dataclass(frozen=True)
class Table:
    """All runs of one task and model that agree in everything but the reduction."""

    task: str
    model: str
    objective: str
    higher_is_better: bool
    examples: int
    full: Cell | None
    rows: Mapping[str, Sequence[Cell]]
    """By method, in rising amounts."""
    conditions: str = ""
    """The settings that set it apart from other tables of the same task and model."""
    percent: bool = False
    """Whether scores run from 0 to 100 by themselves, as BLEU does."""
    families: Mapping[str, str] = field(default_factory=dict)
    """By row, where its method acts: `input`, `decoder`, `cache`, `several` or `unknown`."""
    ids: Sequence[str] = ()
    references: Sequence[str] = ()
    """Of the examples, in the order of each cell's answers; empty where they are not at hand."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    place: int = 100
    """Where reports put the task among others: those with lower numbers come first."""

    @property
    def scale(self) -> float:
        """Factor that makes percent of a score."""
        return 1.0 if self.percent else 100.0

    @property
    def title(self) -> str:
        """The objective as it is written: `WER`, `BLEU`, `accuracy`."""
        return self.objective.upper() if len(self.objective) <= 4 else self.objective

    @property
    def sized(self) -> str:
        """How many examples there are, and what follows where they are few."""
        if self.examples >= FEW:
            return f"{self.examples} examples"
        return f"{self.examples} examples, so few that chance alone can put one method before another"

    def cells(self) -> Iterable[Cell]:
        """All but full tokens."""
        return (cell for cells in self.rows.values() for cell in cells)

    def better(self, one: float, other: float) -> bool:
        """Whether the score `one` is better than `other`."""
        return one > other if self.higher_is_better else one < other

    def worse(self, cell: Cell) -> bool:
        """Whether the score is worse than with full tokens beyond what resampling explains."""
        if cell.difference is None:
            return False
        return cell.difference.high < 0 if self.higher_is_better else cell.difference.low > 0
