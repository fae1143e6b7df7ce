"""What is said of an option after it: "A is wrong", "B: correct", "C - yes", "anger is not present"."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastadasp.tasks.reading.lexicon import COPULAS, VERBS
from fastadasp.tasks.reading.spans import CueSpan
from fastadasp.tasks.reading.statements import Break, Group, Item
from fastadasp.tasks.reading.tokens import Token, words
from fastadasp.tasks.reading.words.vocabulary import Cue

_SIGNS = words(": - ( ) = \" ' ” ...")
_REACH = 9
"""Tokens after the option within which its predicate begins."""
_LIKELIER = frozenset({"likely", "likelier", "wahrscheinlicher", "能"})
_SAID = {Cue.verdict: True, Cue.yes: True, Cue.reject: False, Cue.no: False}


@dataclass(frozen=True)
class Predicate:
    """What is said of a group of options."""

    right: bool | None = None
    """Whether they are called right; None where nothing is said of that."""
    described: bool = False
    """Whether they are the subject of some other verb."""
    possible: bool = False
    probable: bool = False
    conditional: bool = False
    """Whether it only would be so."""
    used: frozenset[int] = frozenset()
    """First tokens of the cues that say it."""


def predicate_of(tokens: Sequence[Token], group: Group, items: Sequence[Item]) -> Predicate:
    """What the rest of the statement says of `group` itself, as far as it follows without a new clause."""
    cues = {item.start: item for item in items if isinstance(item, CueSpan) and item.start >= group.end}
    groups = {item.start for item in items if isinstance(item, Group)}
    at, verb, signs, denied = group.end, False, False, 0
    hedges: set[Cue] = set()
    used: list[int] = []
    while at < min(group.end + _REACH, len(tokens)) and at not in groups:
        cue = cues.get(at)
        if cue is None:
            relative = tokens[at].text in "," and _continues(tokens, at, cues)
            if not (tokens[at].text in COPULAS or tokens[at].text in _SIGNS or relative):
                break
            verb = verb or tokens[at].text in VERBS
            signs = signs or tokens[at].text in _SIGNS
            at += 1
        elif cue.cue in _SAID:
            marks = tokens[cue.start].text in "✓✗"
            if marks and items and _begins_with_mark(tokens, items):
                break
            if not verb and _introduces_another(tokens, cue, groups, items):
                break
            said = _SAID[cue.cue] != bool(denied % 2)
            certain = cue.cue is not Cue.verdict or tokens[cue.end - 1].text not in _LIKELIER
            return Predicate(
                said,
                False,
                Cue.possible in hedges,
                not certain,
                _is_conditional(cue, items),
                frozenset([*used, cue.start]),
            )
        elif cue.cue is Cue.negate and (verb or denied):
            denied += 1
            used.append(cue.start)
            at = cue.end
        elif cue.cue in (Cue.possible, Cue.probable, Cue.idiom, Cue.letter):
            hedges.add(cue.cue)
            at = cue.end
        else:
            break
    if denied and verb:
        return Predicate(False, used=frozenset(used))
    says = group.end in cues and cues[group.end].cue is Cue.say
    return Predicate(described=says or (group.end < len(tokens) and tokens[group.end].text in VERBS))


def _is_conditional(cue: CueSpan, items: Sequence[Item]) -> bool:
    """Whether a condition follows what is said, in the same clause: "would be right if ..."."""
    for item in items:
        if item.start > cue.start and isinstance(item, CueSpan) and item.cue is Cue.condition:
            return True
        if item.start > cue.start and (isinstance(item, Group) or (isinstance(item, Break) and item.kind == "strong")):
            return False
    return False


def _begins_with_mark(tokens: Sequence[Token], items: Sequence[Item]) -> bool:
    """Whether ticks and crosses stand before the options that they judge."""
    return tokens[items[0].start].text in ("✓", "✗")


def _continues(tokens: Sequence[Token], comma: int, cues: dict[int, CueSpan]) -> bool:
    """Whether what follows a comma is still said of the option: "A, which is wrong", "A, no"."""
    after = comma + 1
    if after in cues:
        return cues[after].cue in (Cue.no, Cue.yes)
    return after < len(tokens) and tokens[after].text in ("which", "that", "this", "die", "que")


def _introduces_another(tokens: Sequence[Token], cue: CueSpan, groups: set[int], items: Sequence[Item]) -> bool:
    """Whether a judgement belongs to the option after it: "B - the answer is A"."""
    at = cue.end
    covered = {
        position
        for item in items
        if isinstance(item, CueSpan) and item.cue in (Cue.letter, Cue.verdict, Cue.negate)
        for position in range(item.start, item.end)
    }
    while at < len(tokens) and (tokens[at].text in COPULAS or tokens[at].text == ":" or at in covered):
        at += 1
    return at in groups and cue.cue in (Cue.verdict, Cue.reject) and at > cue.end
