"""Reading the answer to a choice task as a careful person would; see the package's docstring for the rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastadasp.tasks.reading.cleaning import clean_answer
from fastadasp.tasks.reading.content import by_content
from fastadasp.tasks.reading.decide import decide
from fastadasp.tasks.reading.evidence import Evidence, Scan, Weight
from fastadasp.tasks.reading.lexicon import COPULAS, SUBJECTS, Cue
from fastadasp.tasks.reading.options import Options, compared
from fastadasp.tasks.reading.spans import CueSpan, find_spans
from fastadasp.tasks.reading.statements import Group, Statement, paired, quotations, statements, without_echoes
from fastadasp.tasks.reading.tokens import Token, tokenize


_TOO_LITTLE = SUBJECTS | COPULAS - {"both", "neither", "all", "no", "not"}
"""Words with which an option may begin, and which do not tell it from others."""


@dataclass(frozen=True)
class Reading:
    """What an answer says."""

    option: str
    """The key of the option that it gives; empty where it gives none clearly."""
    bare: bool
    """Whether the answer is nothing but a label, a letter or an option's text: nothing had to be interpreted."""


def read_answer(text: str, options: Options, prompt: str = "") -> Reading:
    """What `text` answers.

    prompt: what the model was asked; where the answer begins with a repetition of it, that part is left out.
    """
    text = _without_prompt(clean_answer(text), prompt)
    tokens = tokenize(text)
    if plain := _bare(tokens, options):
        return Reading(plain, True)
    spans = without_echoes(tokens, paired(tokens, find_spans(tokens, options)), len(options.keys))
    found = statements(tokens, spans)
    evidence, retractions = _collect(tokens, found, options)
    answer = decide(evidence, retractions, options)
    if not answer and options.lettered and not any(item.positive for item in evidence):
        denied = {item.option for item in evidence}
        answer = by_content(_affirmed(tokens, found), options, parts=not denied and not _denies(found))
        answer = "" if answer in denied else answer
    return Reading(answer, False)


def _without_prompt(text: str, prompt: str) -> str:
    words = [re.escape(word) for word in clean_answer(prompt).split()]
    if len(words) < 3:
        return text
    return re.sub(r"\s+".join(words), "", text, count=1, flags=re.IGNORECASE) if words else text


def _bare(tokens: Sequence[Token], options: Options) -> str:
    """The option that is named by all words of the answer; empty if it says more, or something else."""
    words = [token for token in tokens if token.is_word]
    if len(words) == 1 and options.lettered and (letter := words[0].written.upper()) in options.keys:
        others = {wording.option for wording in options.wordings if wording.words == (words[0].text,)}
        return letter if others <= {letter} else ""
    if options.lettered and (begun := _begun(tokens, options)):
        return begun
    for level in (0, 1, 2):
        said = compared(tokens, level)
        owners = {wording.option for wording in options.wordings if wording.level == level and wording.words == said}
        if len(owners) == 1:
            return owners.pop()
    return ""


def _begun(tokens: Sequence[Token], options: Options) -> str:
    """The one option that begins with all the answer's words: "Neither" of "Neither of them"."""
    said = compared(tokens, 1)
    texts = {key: compared(tokenize(text), 1) for key, text in zip(options.keys, options.texts, strict=True)}
    begun = [key for key, words in texts.items() if said and words[: len(said)] == said and said[-1] not in _TOO_LITTLE]
    exact = [key for key in begun if texts[key] == said]
    return begun[0] if len(begun) == 1 and not exact else ""


def _collect(tokens: Sequence[Token], found: Sequence[Statement], options: Options) -> tuple[list[Evidence], dict[int, bool]]:
    """What all statements say, and where something is taken back."""
    speech = _speech(tokens, found)
    evidence: list[Evidence] = []
    retractions: dict[int, bool] = {}
    explaining, pending, asked = False, Weight.plain, None
    for statement in found:
        first = not any(item.weight > Weight.open for item in evidence)
        scan = Scan(tokens, options, lambda group: group.start in speech, explaining, first)
        answered = _reply(statement, options) if asked is not None else None
        pending = scan.read(statement, pending)
        new = scan.evidence
        if answered is not None and asked is not None:
            evidence = [item for item in evidence if item.start != asked.start]
            evidence.append(Evidence(asked.mentions[0].option, answered, Weight.answer, asked.start))
            new = [item for item in new if not _is_polar(statement, item, options)]
            scan.retractions = []
        evidence += new
        retractions |= dict.fromkeys(scan.retractions, scan.firm)
        explaining = scan.explaining
        groups = [item for item in statement.items if isinstance(item, Group)]
        asked = groups[0] if statement.question and len(groups) == 1 and len(groups[0].mentions) == 1 else None
    return evidence, retractions


def _reply(statement: Statement, options: Options) -> bool | None:
    """Whether a statement begins with yes (True) or no (False)."""
    first = statement.items[0] if statement.items else None
    if first is None or first.start != statement.start:
        return None
    if isinstance(first, CueSpan):
        return {Cue.yes: True, Cue.no: False}.get(first.cue)
    if isinstance(first, Group) and options.polar and first.end == first.start + 1:
        return {options.polar.get("yes"): True, options.polar.get("no"): False}.get(first.mentions[0].option)
    return None


def _is_polar(statement: Statement, evidence: Evidence, options: Options) -> bool:
    return bool(options.polar) and evidence.start == statement.start


def _speech(tokens: Sequence[Token], found: Sequence[Statement]) -> set[int]:
    """First tokens of options that stand in quoted speech: in marks with other words, or after a verb of saying."""
    inside: set[int] = set()
    cues = [item for statement in found for item in statement.items if isinstance(item, CueSpan) and item.cue is Cue.say]
    groups = [item for statement in found for item in statement.items if isinstance(item, Group)]
    for start, end in quotations(tokens):
        if start == 0 and end >= len(tokens) - 1:
            continue  # the whole answer stands in quotation marks
        said = any(0 <= start - cue.end <= 2 for cue in cues)
        named = {at for group in groups for at in range(group.start, group.end)}
        others = [at for at in range(start, end) if tokens[at].is_word and at not in named]
        if said or len(others) > 1:
            inside.update(range(start, end))
    return inside


def _affirmed(tokens: Sequence[Token], found: Sequence[Statement]) -> list[Token]:
    """The words of all statements that neither deny nor doubt nor ask."""
    return [token for statement in found if not _denies([statement]) for token in tokens[statement.start : statement.end]]


def _denies(found: Sequence[Statement]) -> bool:
    """Whether some statement denies, doubts or asks something."""
    cues = {item.cue for statement in found for item in statement.items if isinstance(item, CueSpan)}
    return bool(cues & {Cue.negate, Cue.reject, Cue.uncertain, Cue.no}) or any(statement.question for statement in found)
