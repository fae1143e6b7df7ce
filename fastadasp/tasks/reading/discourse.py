"""What an answer's statements say together: questions and their replies, headings, explanations, quoted speech."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from fastadasp.tasks.reading.evidence import Evidence, Weight
from fastadasp.tasks.reading.options import Options
from fastadasp.tasks.reading.scan import Context, Scan
from fastadasp.tasks.reading.spans import CueSpan, Mention
from fastadasp.tasks.reading.statements import Group, Statement, quotations
from fastadasp.tasks.reading.tokens import Token
from fastadasp.tasks.reading.words.vocabulary import Cue


@dataclass
class Account:
    """All that is said for and against the options."""

    evidence: list[Evidence] = field(default_factory=list)
    retractions: dict[int, bool] = field(default_factory=dict)
    """Tokens at which what was said before is taken back; true: even where nothing is said instead."""


def account_of(tokens: Sequence[Token], found: Sequence[Statement], options: Options) -> Account:
    """Read the statements one after the other."""
    account, speech = Account(), _speech(tokens, found)
    explaining, pending = False, Weight.plain
    asked: Mention | None = None
    questions: set[int] = set()
    for statement in found:
        first = not any(item.weight > Weight.open for item in account.evidence)
        scan = Scan(tokens, statement, Context(options, speech, explaining, first, pending))
        reply = _reply(statement, options) if asked is not None else None
        if asked is not None and reply is not None:
            _answer(account, asked, reply)
            account.evidence += [item for item in scan.evidence if not options.polar or item.start != statement.start]
        else:
            account.evidence += scan.evidence
            account.retractions |= scan.retractions
            if _contradicts(statement, options):
                account.retractions[statement.start] = False
        explaining, pending, asked = scan.explaining, scan.pending, _asked(statement)
        if asked is not None:
            questions.add(asked.start)
    account.evidence = _unless_told(account.evidence, questions)
    return account


def _unless_told(evidence: Sequence[Evidence], questions: Collection[int]) -> list[Evidence]:
    """Without the options of questions, "A?", where another one is told: the tone of "A?" answers only by itself."""
    told = {
        item.option for item in evidence if item.positive and item.weight > Weight.open and item.start not in questions
    }
    return [
        replace(item, weight=Weight.open)
        if item.start in questions and item.positive and told - {item.option}
        else item
        for item in evidence
    ]


def _contradicts(statement: Statement, options: Options) -> bool:
    """Whether a statement says no and why, and so takes back what was said before it: "One. No, two."."""
    first = statement.items[0] if statement.items else None
    named = [mention.option for item in statement.items if isinstance(item, Group) for mention in item.mentions]
    begins = isinstance(first, Group) and first.start == statement.start
    return begins and len(named) > 1 and set(named) == {options.polar.get("no")}


def _asked(statement: Statement) -> Mention | None:
    """The one option after which a question asks."""
    groups = [item for item in statement.items if isinstance(item, Group)]
    one = statement.question and len(groups) == 1 and len(groups[0].mentions) == 1
    return groups[0].mentions[0] if one else None


def _reply(statement: Statement, options: Options) -> bool | None:
    """Whether a statement begins with yes (True) or no (False)."""
    first = statement.items[0] if statement.items else None
    if first is None or first.start != statement.start:
        return None
    if isinstance(first, CueSpan):
        return {Cue.yes: True, Cue.no: False}.get(first.cue)
    if isinstance(first, Group) and first.end == first.start + 1:
        return {key: answer == "yes" for answer, key in options.polar.items()}.get(first.mentions[0].option)
    return None


def _answer(account: Account, asked: Mention, reply: bool) -> None:
    """Take a question and its reply for one statement."""
    account.evidence = [item for item in account.evidence if item.start != asked.start]
    account.evidence.append(Evidence(asked.option, reply, Weight.answer, asked.start))


def _speech(tokens: Sequence[Token], found: Sequence[Statement]) -> set[int]:
    """Tokens of quoted speech: in quotation marks with other words beside the options, or after a verb of saying."""
    items = [item for statement in found for item in statement.items]
    says = [item.end for item in items if isinstance(item, CueSpan) and item.cue is Cue.say]
    named = {at for item in items if isinstance(item, Group) for at in range(item.start, item.end)}
    inside: set[int] = set()
    for start, end in quotations(tokens):
        if start == 0 and end >= len(tokens) - 1:
            continue  # the whole answer stands in quotation marks
        others = [at for at in range(start, end) if tokens[at].is_word and at not in named]
        if len(others) > 1 or any(0 <= start - said <= 2 for said in says):
            inside.update(range(start, end))
    return inside
