"""One pass over a statement: what it says for or against the options, with what is in force at each place.

In force is, for example, a negation: from its word to the end of the clause. Which words begin what stands in `words/`;
where each effect ends stands in `force.py`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from fastadasp.tasks.reading.evidence import Evidence, Weight
from fastadasp.tasks.reading.force import LIMITS, Force
from fastadasp.tasks.reading.options import Options
from fastadasp.tasks.reading.places import Places
from fastadasp.tasks.reading.predicates import Predicate, predicate_of
from fastadasp.tasks.reading.spans import LETTER, CueSpan, Mention
from fastadasp.tasks.reading.statements import DESCRIBED, Break, Group, Statement
from fastadasp.tasks.reading.tokens import Token, words
from fastadasp.tasks.reading.words.vocabulary import Cue

_TAKEN_BACK = words("wrong incorrect right back that mind 错")
"""Last words of phrases that take back even where nothing is said instead: "that is wrong"."""
_PARTIAL = 3
"""Level of wordings that leave out an option's first words."""


@dataclass(frozen=True)
class Context:
    """What a statement's reading depends on beyond its own words."""

    options: Options
    speech: Collection[int]
    """First tokens of options that stand in quoted speech."""
    explaining: bool = False
    """Whether an explanation has been announced and goes on."""
    first: bool = True
    """Whether no option has been named before."""
    pending: Weight = Weight.plain
    """What a heading before the statement says of its option."""


class Scan:
    """Reads one statement; `evidence` and `retractions` hold what it says."""

    def __init__(self, tokens: Sequence[Token], statement: Statement, context: Context) -> None:
        self.tokens, self.statement, self.context = tokens, statement, context
        self.places = Places(tokens, statement)
        self.explaining = context.explaining
        """Whether what comes after the statement explains."""
        self.evidence: list[Evidence] = []
        self.retractions: dict[int, bool] = {}
        """Tokens at which what was said before is taken back; true: even where nothing is said instead."""
        self._said: set[int] = set()
        """First tokens of cues that were said of an option before them."""
        self._force = Force(pending=context.pending, limit=Weight.weak if self.explaining else Weight.final)
        self._read()
        heading = self.places.is_heading() and not self.evidence
        self.pending = self._force.pending if heading else Weight.plain
        """What the statement, if it is a heading, says of the option in the next one."""

    def _read(self) -> None:
        for place, item in enumerate(self.statement.items):
            match item:
                case Group():
                    self._options(item)
                case Break(kind="subject"):
                    self._force = self._force.after_subject()
                case Break():
                    self._force = self._force.after_sign(item.kind == "strong", self.explaining)
                case CueSpan() if item.start not in self._said:
                    starts = self.places.starts_clause(item, place)
                    self._force = self._clause(item, starts) or self._effect(item, place, starts)

    def _options(self, group: Group) -> None:
        """Note what is said of these options."""
        force, predicate = self._force, predicate_of(self.tokens, group, self.statement.items)
        self._said.update(predicate.used)
        weight = self._weight(group, predicate)
        found = [
            Evidence(
                mention.option,
                positive=self._is_positive(group, number, predicate),
                weight=_of_mention(mention, weight),
                start=mention.start,
                possible=(force.possible or group.joint == "or" or predicate.possible) and not predicate.probable,
                minor=force.minor,
                contrasted=force.contrasted or predicate.probable,
            )
            for number, mention in enumerate(group.mentions)
        ]
        if force.likewise and self.evidence:
            before = self.evidence[-1]
            found = [replace(one, positive=before.positive, weight=before.weight) for one in found]
        self.evidence += found
        self._force = force.after_options(named=any(one.positive for one in found))

    def _is_positive(self, group: Group, number: int, predicate: Predicate) -> bool:
        """Denied once, before or after, and not twice; in "not A, B" the comma ends the denial."""
        of_list = group.joint != "comma" or number == 0 or self.tokens[group.start - 1].text in ("of", "von", "de")
        before = self._force.rejected != (self._force.negated and of_list)
        return before == (predicate.right is False) and not self._force.negates_next

    def _weight(self, group: Group, predicate: Predicate) -> Weight:
        force, lettered = self._force, self.context.options.lettered
        asked = self.statement.question and not (self.places.is_all(group) and len(group.mentions) == 1)
        if asked or force.compared or (not lettered and self.places.is_of_the_model(group)):
            return Weight.open
        if group.start in self.context.speech:
            return Weight.weak if lettered else Weight.open
        weight, limit = force.pending, force.limit
        if force.concluding is not None and self.places.is_linked(force.concluding, group):
            weight = max(weight, Weight.concluded)
        elif force.concluding is not None and lettered and not group.joint and weight == Weight.plain:
            weight = Weight.answer
        if self.places.is_all(group) or (self.context.first and self._leads(group)):
            weight = max(weight, Weight.answer)
        if group.joint == "or":
            limit = min(limit, Weight.plain)
        if predicate.conditional:
            limit = min(limit, Weight.weak)
        elif predicate.right is not None:
            weight = max(weight, Weight.answer)
        elif predicate.described and lettered and group.mentions[-1].level == LETTER:
            limit = min(limit, Weight.weak)
        return min(weight, limit)

    def _leads(self, group: Group) -> bool:
        return not self._force.possible and group.joint != "or" and self.places.leads(group)

    def _clause(self, item: CueSpan, starts: bool) -> Force | None:
        """What is in force after a cue that begins a clause of its own; None if it does not."""
        force = self._force
        match item.cue:
            case Cue.final:
                return force.new_clause(pending=Weight.final)
            case Cue.conclude if starts and not self.places.joins_options(item):
                return force.new_clause(pending=Weight.plain, concluding=item.end)
            case Cue.contrast:
                return force.new_clause(contrasted=True)
            case Cue.retract if starts or force.contrasted or self.places.between_options(item):
                self.retractions[item.start] = self.tokens[item.end - 1].text in _TAKEN_BACK
                return force.new_clause()
            case Cue.no if starts:
                self.retractions[item.start] = False
            case Cue.reject if starts and self.places.stands_apart(item):
                self.retractions[item.start] = False
                return force
            case Cue.uncertain if self.retractions:
                self.retractions = dict.fromkeys(self.retractions, True)
            case Cue.explain:
                self.explaining = True
                return replace(force, limit=Weight.weak)
        return None

    def _effect(self, item: CueSpan, place: int, starts: bool) -> Force:
        """What is in force after a cue within its clause."""
        force = self._force
        match item.cue:
            case Cue.negate:
                return replace(force, negated=True, denied=False)
            case Cue.less:
                return replace(force, negates_next=True)
            case Cue.than:
                less = any(isinstance(one, CueSpan) and one.cue is Cue.less for one in self.statement.items[:place])
                return replace(force, compared=not less)
            case Cue.reject:
                return replace(force, rejected=True)
            case Cue.verdict | Cue.choose:
                force = force.after_subject() if item.cue is Cue.verdict else force
                limit = Weight.final if self.explaining else force.limit
                return replace(force, pending=max(force.pending, Weight.answer), limit=limit)
            case Cue.conjunction:
                return force.after_subject()
            case Cue.possible:
                return replace(force, possible=True)
            case Cue.probable:
                likelier = force.contrasted or any(found.possible for found in self.evidence)
                return replace(force, possible=False, contrasted=likelier)
            case Cue.likewise:
                return replace(force, likewise=True)
            case Cue.minor:
                return replace(force, minor=True)
        content = item.cue is Cue.say and self.context.options.lettered and not self.places.follows_letter(item)
        return force if item.cue not in LIMITS or content else force.limited(item.cue, starts)


def _of_mention(mention: Mention, weight: Weight) -> Weight:
    """A description, or an option by its last words alone, says less."""
    if mention.level == DESCRIBED:
        return weight if weight >= Weight.concluded else min(weight, Weight.weak)
    partial = {Weight.plain: Weight.weak, Weight.weak: Weight.faint}
    return partial.get(weight, weight) if mention.level == _PARTIAL else weight
