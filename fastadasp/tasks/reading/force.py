"""What is in force at one place of a statement, and where each effect ends."""

from dataclasses import dataclass, replace

from fastadasp.tasks.reading.evidence import Weight
from fastadasp.tasks.reading.words.vocabulary import Cue

LIMITS = {
    Cue.because: Weight.weak,
    Cue.concede: Weight.weak,
    Cue.say: Weight.weak,
    Cue.former: Weight.open,
    Cue.uncertain: Weight.open,
    Cue.condition: Weight.open,
}
"""The most that options can say after these cues."""


@dataclass(frozen=True)
class Force:
    """What the words before a place do to the option that follows."""

    negated: bool = False
    denied: bool = False
    """Whether the negation has met an option: it then ends where a new clause begins without a comma."""
    negates_next: bool = False
    compared: bool = False
    likewise: bool = False
    """Whether what follows shares what was said of the options before it."""
    rejected: bool = False
    possible: bool = False
    minor: bool = False
    contrasted: bool = False
    limit: Weight = Weight.final
    ends_at_comma: bool = True
    """Whether a comma lifts the limit."""
    reason: str = ""
    """Of a reason that begins its sentence: `begun`, and `named` once it has named options. A subject then ends it."""
    pending: Weight = Weight.plain
    """What the next option gets for an announcement before it: "the answer is"."""
    concluding: int | None = None
    """The token after "so"; None without."""

    def new_clause(self, **started: object) -> "Force":
        """After a word that begins a clause of its own; the announcement of an answer stays open."""
        return replace(Force(pending=self.pending, contrasted=self.contrasted), **started)  # type: ignore[arg-type]

    def after_sign(self, strong: bool, explaining: bool) -> "Force":
        """After a comma or a stronger sign; an explanation goes on."""
        lifted = (strong or self.ends_at_comma) and not explaining
        return replace(
            self,
            negated=False,
            denied=False,
            possible=False,
            rejected=False,
            compared=False,
            likewise=False,
            minor=False,
            limit=Weight.final if lifted else self.limit,
            concluding=None if strong else self.concluding,
            reason="",
        )

    def after_subject(self) -> "Force":
        """After a pronoun that can begin a clause, or an "and" that joins no options."""
        lifted = replace(self, limit=Weight.final, reason="") if self.reason == "named" else self
        return replace(lifted, negated=False, denied=False) if self.denied else lifted

    def after_options(self, named: bool) -> "Force":
        """After options; `named`: whether one of them was named as right, and so takes the announcement."""
        rest = replace(
            self,
            denied=self.denied or self.negated or self.rejected,
            rejected=False,
            negates_next=False,
            minor=False,
            compared=False,
            likewise=False,
            reason=self.reason and "named",
        )
        return replace(rest, pending=Weight.plain, concluding=None) if named else rest

    def limited(self, cue: Cue, starts: bool) -> "Force":
        """After a cue of LIMITS; `starts`: whether it begins the clause, so that the comma ends it."""
        ends = starts if cue in (Cue.because, Cue.concede) else True
        rest = replace(self, limit=min(self.limit, LIMITS[cue]), ends_at_comma=ends)
        if cue is not Cue.because:
            return rest
        return replace(rest, pending=Weight.plain, negated=False, possible=False, reason="begun" if starts else "")
