"""What each statement says for or against the options: one pass over its parts, with what is in force at each.

In force is, for example, a negation: from its word to the end of the clause. Which words begin what stands in
`lexicon.py`; where each effect ends stands here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from fastadasp.tasks.reading.lexicon import FIRST_PERSON, SELF, Cue
from fastadasp.tasks.reading.options import Options
from fastadasp.tasks.reading.predicates import Predicate, predicate_of
from fastadasp.tasks.reading.spans import LETTER, CueSpan, Mention
from fastadasp.tasks.reading.statements import DESCRIBED, Break, Group, Item, Statement
from fastadasp.tasks.reading.tokens import Token


class Weight(IntEnum):
    """How much a mention says about the answer."""

    open = 0
    """Nothing: asked, quoted, supposed, or said of something else."""
    weak = 1
    """It explains or describes; an answer only where there is no other."""
    plain = 2
    """A statement about the speech."""
    answer = 3
    """Given as the answer: "the answer is B", "B.", "B is correct"."""
    concluded = 4
    """Given as the conclusion: "so B"."""
    final = 5
    """Given as the final answer."""


@dataclass(frozen=True)
class Evidence:
    """One option, named once."""

    option: str
    positive: bool
    weight: Weight
    start: int
    """Its first token."""
    possible: bool = False
    """One of several that are possible: "maybe A", "A or B"."""
    minor: bool = False
    contrasted: bool = False
    """Whether it is set against what was said before: "A might be right, but B is better"."""


@dataclass
class _Force:
    """What is in force at one place of a statement."""

    negated: bool = False
    negates_next: bool = False
    compared: bool = False
    rejected: bool = False
    possible: bool = False
    minor: bool = False
    contrasted: bool = False
    limit: Weight = Weight.final
    ends_at_comma: bool = True
    """Whether a comma lifts the limit."""
    pending: Weight = Weight.plain
    """What the next option gets for what stands before it."""
    concluding: int = -1
    """The token after "so"; -1 without."""
    denied: bool = False
    """Whether the negation has met its option."""


class Scan:
    """Reads one statement; `evidence` and `retractions` then hold what it says."""

    def __init__(
        self, tokens: Sequence[Token], options: Options, quoted: Callable[[Group], bool], explaining: bool, first: bool
    ) -> None:
        self.tokens, self.options, self.quoted, self.first = tokens, options, quoted, first
        self.explaining = explaining
        self.evidence: list[Evidence] = []
        self.retractions: list[int] = []
        """Tokens at which what was said before is taken back."""
        self.firm = False
        """Whether they take back even where nothing else is said instead."""
        self.used: set[int] = set()
        """First tokens of cues that were said of an option before them."""

    def read(self, statement: Statement, pending: Weight = Weight.plain) -> Weight:
        """Read `statement`; `pending` and the result are what a heading says of the option in the next statement."""
        self.statement = statement
        self.force = _Force(pending=pending, limit=Weight.weak if self.explaining else Weight.final)
        for place, item in enumerate(statement.items):
            match item:
                case Group():
                    self._group(item)
                case Break():
                    self._break(item)
                case CueSpan():
                    if item.start not in self.used:
                        self._cue(item, place)
        heading = statement.ends_line or statement.end == self._last_sign() + 1
        return self.force.pending if heading and not self.evidence else Weight.plain

    def _last_sign(self) -> int:
        last = self.statement.end - 1
        return last if self.tokens[last].text in (":", "：") else -2

    def _group(self, group: Group) -> None:
        force = self.force
        predicate = predicate_of(self.tokens, group, self.statement.items)
        self.used.update(predicate.used)
        weight = self._weight(group, predicate)
        for number, mention in enumerate(group.mentions):
            negated = (force.negated or force.rejected) and (group.joint != "comma" or number == 0 or force.rejected)
            positive = negated == (predicate.right is False) and not force.negates_next
            self.evidence.append(
                Evidence(
                    mention.option,
                    positive,
                    self._of_mention(mention, weight),
                    mention.start,
                    possible=(force.possible or group.joint == "or" or predicate.possible) and not predicate.probable,
                    minor=force.minor,
                    contrasted=force.contrasted or predicate.probable,
                )
            )
        if any(evidence.positive for evidence in self.evidence[-len(group.mentions) :]):
            force.pending, force.concluding = Weight.plain, -1
        force.denied = force.denied or force.negated or force.rejected
        force.rejected = force.negates_next = force.minor = force.compared = False

    def _weight(self, group: Group, predicate: Predicate) -> Weight:
        force = self.force
        if self._is_asked(group) or force.compared or self._is_of_the_model(group):
            return Weight.open
        if self.quoted(group):
            return Weight.weak if self.options.lettered else Weight.open
        weight = force.pending
        if force.concluding >= 0 and self._only_links(force.concluding, group.start):
            weight = max(weight, Weight.concluded)
        if self._leads(group):
            weight = max(weight, Weight.answer)
        limit = force.limit
        if predicate.conditional:
            limit = min(limit, Weight.weak)
        elif predicate.right is not None:
            weight = max(weight, Weight.answer)
        elif predicate.described and self.options.lettered and group.mentions[-1].level == LETTER:
            limit = min(limit, Weight.weak)
        return min(weight, limit)

    def _is_asked(self, group: Group) -> bool:
        """Whether the statement is a question; an option alone with a question mark is an answer in doubt."""
        return self.statement.question and not (self._is_all(group) and len(group.mentions) == 1)

    def _of_mention(self, mention: Mention, weight: Weight) -> Weight:
        """A description, or an option by its last words alone, says less."""
        if mention.level == DESCRIBED:
            return weight if weight >= Weight.concluded else min(weight, Weight.weak)
        return min(weight, Weight.weak) if mention.level == 3 and weight == Weight.plain else weight

    def _leads(self, group: Group) -> bool:
        """Whether the statement gives the option without a verb: "B", "B, because ...", "Option B"."""
        if not self._only_links(self.statement.start, group.start, heading=True):
            return False
        if self._is_all(group):
            return True
        if self.force.possible or group.joint == "or":
            return False
        after = self.tokens[group.end]
        reasons = (item.start for item in self.statement.items if isinstance(item, CueSpan) and item.cue is Cue.because)
        return self.first and (not after.is_word or group.end in reasons)

    def _is_all(self, group: Group) -> bool:
        """Whether the statement holds nothing but the options of this group, and words before a letter."""
        rest = self.tokens[group.end : self.statement.end]
        ends = all(not token.is_word for token in rest)
        return ends and self._only_links(self.statement.start, group.start, heading=True)

    def _only_links(self, start: int, end: int, heading: bool = False) -> bool:
        """Whether nothing but signs, linking words and announcements stands between two tokens."""
        covered = {
            at
            for item in self.statement.items
            if isinstance(item, CueSpan) and item.cue in (_HEADINGS if heading else _LINKING)
            for at in range(item.start, item.end)
        }
        links = _ARTICLES if heading else _LINKS
        return all(
            at in covered or not self.tokens[at].is_word or self.tokens[at].text in links for at in range(start, end)
        )

    def _is_of_the_model(self, group: Group) -> bool:
        """Whether a model says it of itself: "I would be happy to", "as an AI I do not feel sad"."""
        if self.options.lettered:
            return False
        at = group.start - 1
        while at >= self.statement.start and self.tokens[at].text in SELF:
            at -= 1
        return at >= self.statement.start and self.tokens[at].text in FIRST_PERSON

    def _break(self, item: Break) -> None:
        force = self.force
        if item.kind == "subject":
            if force.denied:
                force.negated = force.denied = False
            return
        force.negated = force.denied = force.possible = force.rejected = force.compared = force.minor = False
        if (item.kind == "strong" or force.ends_at_comma) and not self.explaining:
            force.limit = Weight.final
        if item.kind == "strong":
            force.concluding = -1

    def _cue(self, item: CueSpan, place: int) -> None:
        force, starts = self.force, self._starts_clause(item, place)
        match item.cue:
            case Cue.negate:
                force.negated, force.denied = True, False
            case Cue.less:
                force.negates_next = True
            case Cue.than:
                force.compared = not self._after_less(place)
            case Cue.reject if starts and self._stands_apart(item):
                self.retractions.append(item.start)
            case Cue.reject:
                force.rejected = True
            case Cue.verdict | Cue.choose:
                force.pending = max(force.pending, Weight.answer)
                if item.cue is Cue.verdict:
                    force.negated = force.negated and not force.denied
                if self.explaining:
                    force.limit = Weight.final
            case Cue.final:
                self._reset()
                force.pending = Weight.final
            case Cue.conclude if starts and not self._is_arrow_between(item):
                self._reset()
                force.concluding = item.end
            case Cue.contrast:
                self._reset(pending=force.pending)
                force.contrasted = True
            case Cue.retract if starts or force.contrasted:
                self.retractions.append(item.start)
                self.firm = self.firm or self.tokens[item.end - 1].text in _TAKEN_BACK
                self._reset(pending=force.pending)
            case Cue.no if starts:
                self.retractions.append(item.start)
            case Cue.explain:
                self.explaining = True
                force.limit = Weight.weak
            case Cue.conjunction if force.denied:
                force.negated = force.denied = False
            case Cue.possible:
                force.possible = True
            case Cue.uncertain if self.retractions:
                self.firm = True
            case Cue.probable:
                force.possible = False
                force.contrasted = force.contrasted or any(found.possible for found in self.evidence)
            case Cue.minor:
                force.minor = True
            case _:
                self._limit(item, starts)

    def _limit(self, item: CueSpan, starts: bool) -> None:
        """Cues by which what follows says less."""
        if item.cue not in _LIMITS or (item.cue is Cue.say and self.options.lettered and not self._follows_letter(item)):
            return
        force = self.force
        force.limit = min(force.limit, _LIMITS[item.cue])
        force.ends_at_comma = item.cue not in (Cue.because, Cue.concede) or starts
        if item.cue is Cue.because:
            force.pending = Weight.plain
            force.negated = force.possible = False

    def _follows_letter(self, item: CueSpan) -> bool:
        groups = [group for group in self.statement.items if isinstance(group, Group) and group.end == item.start]
        return bool(groups) and groups[0].mentions[-1].level == LETTER

    def _reset(self, pending: Weight = Weight.plain) -> None:
        """A new clause begins in which nothing is in force but what an answer's announcement has left open."""
        self.force.__dict__.update(replace(_Force(), pending=pending, contrasted=self.force.contrasted).__dict__)

    def _starts_clause(self, item: CueSpan, place: int) -> bool:
        """Whether a cue stands at the start of a clause, after nothing but signs and other cues."""
        if not self.tokens[item.start].is_word:
            return True
        before = self.statement.items[place - 1] if place else None
        begin = self.statement.start if before is None else before.start
        if isinstance(before, CueSpan):
            linked = before.cue in _BEFORE_CLAUSE
            return linked and before.end == item.start or self._only_signs(before.end, item.start) and before.end < item.start
        if isinstance(before, Group):
            return self._only_signs(before.end, item.start) and before.end < item.start
        return self._only_signs(begin, item.start) or self._only_signs(begin + 1, item.start)

    def _is_arrow_between(self, item: CueSpan) -> bool:
        """Whether an arrow leads from one option to another, which says neither."""
        ends = {group.end for group in self.statement.items if isinstance(group, Group)}
        return self.tokens[item.start].text == "→" and item.start in ends

    def _stands_apart(self, item: CueSpan) -> bool:
        """Whether a sign or the end follows: "Wrong, it is B"."""
        ends = item.end >= self.statement.end or not self.tokens[item.end].is_word
        return ends and self.tokens[item.start].is_word

    def _only_signs(self, start: int, end: int) -> bool:
        return all(not self.tokens[at].is_word for at in range(start, end))

    def _after_less(self, place: int) -> bool:
        cues = [item.cue for item in self.statement.items[:place] if isinstance(item, CueSpan)]
        return Cue.less in cues


_LIMITS = {
    Cue.because: Weight.weak,
    Cue.concede: Weight.weak,
    Cue.say: Weight.weak,
    Cue.former: Weight.open,
    Cue.uncertain: Weight.open,
    Cue.condition: Weight.open,
}
_TAKEN_BACK = frozenset("wrong incorrect right back that mind 错".split())
_LINKING = frozenset({Cue.verdict, Cue.choose, Cue.letter, Cue.probable, Cue.final, Cue.conclude, Cue.negate})
_HEADINGS = frozenset({Cue.letter, Cue.possible, Cue.probable, Cue.idiom})
_BEFORE_CLAUSE = frozenset({Cue.conjunction, Cue.contrast, Cue.no, Cue.yes, Cue.retract, Cue.conclude, Cue.disjunction})
_LINKS = frozenset(
    """the a an is are was 's be must would should will can could it he she they i we this that in my our das die der ist es er sie
    la el lo son ich c' le est 我 他 她 它 们 的 这 那 个 是 应 该""".split()
)
_ARTICLES = frozenset("the a an der die das el la le maybe".split())


def items_of(statement: Statement, kind: type[Item]) -> list[Item]:
    """The statement's items of one kind."""
    return [item for item in statement.items if isinstance(item, kind)]
