"""Reading the answer to a choice task as a careful person would; see the package's docstring for the rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastadasp.tasks.reading.cleaning import clean_answer
from fastadasp.tasks.reading.content import by_content
from fastadasp.tasks.reading.decide import decide
from fastadasp.tasks.reading.discourse import account_of
from fastadasp.tasks.reading.lexicon import COPULAS, SUBJECTS
from fastadasp.tasks.reading.options import Options, compared
from fastadasp.tasks.reading.spans import CueSpan, find_spans
from fastadasp.tasks.reading.statements import Statement, paired, statements, without_echoes
from fastadasp.tasks.reading.tokens import Token, tokenize, words
from fastadasp.tasks.reading.words.vocabulary import Cue

_TOO_LITTLE = (SUBJECTS | COPULAS) - words("both neither all no not")
"""Words with which an option may begin, and which do not tell it from others."""
_SHORTEST_PROMPT = 3
"""Words of a prompt from which on its repetition is one."""
_DOUBTS = frozenset({Cue.negate, Cue.reject, Cue.uncertain, Cue.no})


@dataclass(frozen=True)
class Reading:
    """What an answer says."""

    option: str
    """The key of the option that it gives; empty where it gives none clearly."""
    bare: bool
    """Whether the answer is nothing but a label, a letter or an option's text: nothing had to be interpreted."""


def read_answer(text: str, options: Options, prompt: str = "") -> Reading:
    """What `text` answers.

    prompt: what the model was asked; where the answer repeats it, that part is left out.
    """
    tokens = tokenize(_without_prompt(clean_answer(text), prompt))
    if plain := _bare(tokens, options):
        return Reading(plain, True)
    spans = without_echoes(tokens, paired(tokens, find_spans(tokens, options)), len(options.keys))
    found = statements(tokens, spans)
    account = account_of(tokens, found, options)
    answer = decide(account.evidence, account.retractions, options)
    if not answer and options.lettered and not any(item.positive for item in account.evidence):
        denied = {item.option for item in account.evidence}
        answer = by_content(_affirmed(tokens, found), options, parts=not denied and not _doubts(found))
        answer = "" if answer in denied else answer
    return Reading(answer, False)


def _without_prompt(text: str, prompt: str) -> str:
    asked = clean_answer(prompt).split()
    if len(asked) < _SHORTEST_PROMPT:
        return text
    return re.sub(r"\s+".join(map(re.escape, asked)), "", text, count=1, flags=re.IGNORECASE)


def _bare(tokens: Sequence[Token], options: Options) -> str:
    """The option that is named by all words of the answer; empty if it says more, or something else."""
    said = [token for token in tokens if token.is_word]
    if len(said) == 1 and options.lettered and (letter := said[0].written.upper()) in options.keys:
        others = {wording.option for wording in options.wordings if wording.words == (said[0].text,)}
        return letter if others <= {letter} else ""
    if options.lettered and _has_letter_first(tokens, options):
        return ""
    for level in (0, 1, 2):
        given = compared(tokens, level)
        owners = {wording.option for wording in options.wordings if wording.level == level and wording.words == given}
        if len(owners) == 1:
            return owners.pop()
    return _begun(tokens, options)


def _has_letter_first(tokens: Sequence[Token], options: Options) -> bool:
    """Whether a letter, a sign and a text make the answer: "A) a salad" may contradict itself."""
    first = next((at for at, token in enumerate(tokens) if token.is_word), len(tokens))
    marked = first + 1 < len(tokens) and not tokens[first + 1].is_word
    return marked and tokens[first].written.upper() in options.keys


def _begun(tokens: Sequence[Token], options: Options) -> str:
    """The one option whose text begins with all the answer's words: "Neither" of "Neither of them"."""
    said = compared(tokens, 2)
    if not options.lettered or not said or said[-1] in _TOO_LITTLE:
        return ""
    texts = ((key, compared(tokenize(text), 2)) for key, text in zip(options.keys, options.texts, strict=True))
    begun = [key for key, text in texts if text[: len(said)] == said]
    return begun[0] if len(begun) == 1 else ""


def _affirmed(tokens: Sequence[Token], found: Sequence[Statement]) -> list[Token]:
    """The words of all statements that neither deny nor doubt nor ask."""
    return [
        token for statement in found if not _doubts([statement]) for token in tokens[statement.start : statement.end]
    ]


def _doubts(found: Sequence[Statement]) -> bool:
    """Whether some statement denies, doubts or asks something."""
    cues = {item.cue for statement in found for item in statement.items if isinstance(item, CueSpan)}
    return bool(cues & _DOUBTS) or any(statement.question for statement in found)
