"""Finding the options and the steering words of an answer, each token in one span at most.

Where spans overlap, the longer one counts: "more than one speaker" before "one speaker", "no emotion" before "no".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastadasp.tasks.reading.letters import names_option
from fastadasp.tasks.reading.lexicon import ARTICLES, COPULAS, STARTERS, phrases
from fastadasp.tasks.reading.options import GAP, MAX_GAP, Options, Wording, comparable, compared
from fastadasp.tasks.reading.tokens import ENDS, Token, words
from fastadasp.tasks.reading.words.vocabulary import Cue

_NO_GAP = words("and or nor not no than but one two 1 2 is are und oder nicht y o no")
_BEFORE_LAST = words(
    """definitely clearly certainly obviously is are 's be not probably likely just only hear think say maybe perhaps
    ist sind es son"""
)
_AFTER_PLACE = words(", neither nor but not")
"""What may stand beside a place in the list that has its article: "the third, not the second"."""
_BEFORE_LETTER = words("( [ \" ' :")
_SHARING = words("or and / oder und o y ou et")
_CLAUSE_ENDS = words(". , ; : 、")
_LIST_MARKS = words(") : - = .")


@dataclass(frozen=True)
class Mention:
    """An option as an answer names it."""

    option: str
    start: int
    end: int
    """Tokens from `start` up to and without `end`."""
    level: int
    """Level of the wording (see `Wording`); LETTER for a letter, PAIR for a letter with its own text."""


LETTER, PAIR = -1, -2


@dataclass(frozen=True)
class CueSpan:
    """A steering word or phrase."""

    cue: Cue
    start: int
    end: int


Span = Mention | CueSpan


def find_spans(tokens: Sequence[Token], options: Options) -> list[Span]:
    """All options and cues in their order, without overlaps."""
    cues = list(_cues(tokens))
    texts = list(_texts(tokens, options))
    spans: list[Span] = [*cues, *texts, *_sharing(tokens, texts, options)]
    if options.lettered:
        spans += _letters(tokens, options, cues)
    spans = [_as_answer_or_negation(tokens, span, options) for span in spans]
    taken: set[int] = set()
    chosen = []
    for span in sorted(spans, key=_rank):
        if taken.isdisjoint(range(span.start, span.end)):
            taken.update(range(span.start, span.end))
            chosen.append(span)
    return sorted(chosen, key=lambda span: span.start)


def _rank(span: Span) -> tuple[int, int, int]:
    """Longer ones first; of equally long ones options before cues, and those in the very words of the option first."""
    return -(span.end - span.start), span.level if isinstance(span, Mention) else 9, span.start


def _cues(tokens: Sequence[Token]) -> Iterator[CueSpan]:
    known = phrases()
    longest = max(map(len, known))
    texts = [token.text for token in tokens]
    for start in range(len(texts)):
        for end in range(min(start + longest, len(texts)), start, -1):
            if (cue := known.get(tuple(texts[start:end]))) is not None:
                yield CueSpan(cue, start, end)


def _letters(tokens: Sequence[Token], options: Options, cues: Sequence[CueSpan]) -> Iterator[Mention]:
    cue_ending = {cue.end: cue.cue for cue in cues}
    for at in range(len(tokens)):
        before = at
        while (
            before
            and before not in cue_ending
            and (tokens[before - 1].text in COPULAS or tokens[before - 1].text in _BEFORE_LETTER)
        ):
            before -= 1
        if names_option(tokens, at, options.keys, cue_ending.get(at) or cue_ending.get(before)):
            yield Mention(tokens[at].written.upper(), at, at + 1, LETTER)


def _texts(tokens: Sequence[Token], options: Options) -> Iterator[Mention]:
    for level in range(5):
        compared = [(comparable(token, min(level, 2 if level < 4 else 1)), at) for at, token in enumerate(tokens)]
        words = [(word, at) for word, at in compared if word]
        wordings = [wording for wording in options.wordings if wording.level == level]
        by_first: dict[str, list[Wording]] = {}
        for wording in wordings:
            by_first.setdefault(wording.words[0], []).append(wording)
        for place, (word, start) in enumerate(words):
            for wording in by_first.get(word, ()):
                end = _match(words, place, wording.words, tokens)
                if end is not None and not options.lettered and _crosses(tokens, start, end):
                    continue
                if end is not None and (not wording.alone or _is_whole_statement(tokens, start, end)):
                    yield Mention(wording.option, start, end, level)


def _sharing(tokens: Sequence[Token], mentions: Sequence[Mention], options: Options) -> Iterator[Mention]:
    """Options whose last words stand only with the next one: 10 euros in "10 or 12 euros"."""
    for mention in mentions:
        before = mention.start - 2
        if before < 0 or tokens[before + 1].text not in _SHARING or not tokens[before].is_word:
            continue
        said = (comparable(tokens[before], 2), *compared(tokens[mention.start : mention.end], 2)[1:])
        owners = {one.option for one in options.wordings if one.words == said and len(said) > 1}
        if len(owners) == 1 and owners != {mention.option}:
            yield Mention(owners.pop(), before, before + 1, mention.level)


def _crosses(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether a clause ends between two tokens: "no, more than one" is not "no more than one"."""
    return any(token.kind == "line" or token.text in ENDS | _CLAUSE_ENDS for token in tokens[start:end])


def _match(words: Sequence[tuple[str, int]], place: int, wanted: Sequence[str], tokens: Sequence[Token]) -> int | None:
    """Where a wording that begins at `place` of `words` ends, as a token; None if it does not stand there."""
    if not wanted:
        return words[place - 1][1] + 1
    if wanted[0] == GAP:
        for gap in range(MAX_GAP + 1):
            if gap and (place + gap > len(words) or words[place + gap - 1][0] in _NO_GAP):
                return None
            if (end := _match(words, place + gap, wanted[1:], tokens)) is not None:
                within = tokens[words[place - 1][1] : end]
                return end if all(token.is_word or token.text in "-," for token in within) else None
        return None
    if place >= len(words) or words[place][0] != wanted[0]:
        return None
    return _match(words, place + 1, wanted[1:], tokens)


def _is_whole_statement(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether these tokens end a sentence, and stand alone in it or after a word such as "is" or "probably"."""
    if start and tokens[start - 1].text in ARTICLES:
        start -= 1
    before = tokens[start - 1] if start else None
    if end < len(tokens) and tokens[end].text == ")":
        end += 1
    article = tokens[start].text in ARTICLES
    begins = (
        before is None
        or not before.is_word
        or before.text in (_BEFORE_LAST | _AFTER_PLACE if article else _BEFORE_LAST)
    )
    after = _AFTER_PLACE if begins and article else frozenset()
    return begins and (end == len(tokens) or tokens[end].kind == "line" or tokens[end].text in ENDS | {"."} | after)


def _as_answer_or_negation(tokens: Sequence[Token], span: Span, options: Options) -> Span:
    """A "no" that begins a noun phrase or a sentence denies; a "no" that stands by itself is an answer."""
    text = tuple(token.text for token in tokens[span.start : span.end])
    negating = text in (("no",), ("non",), ("不", "是"))
    answering = isinstance(span, Mention) and options.polar.get("no") == span.option and negating
    letters = [tokens[at].written if 0 <= at < len(tokens) else "" for at in (span.start - 1, span.end)]
    if text == ("no",) and options.lettered and all(letter in options.keys for letter in letters):
        return CueSpan(Cue.retract, span.start, span.end)
    if answering and not _stands_by_itself(tokens, span.start, span.end):
        return CueSpan(Cue.negate, span.start, span.end)
    if isinstance(span, CueSpan) and text in (("no",), ("non",)) and _stands_by_itself(tokens, span.start, span.end):
        return CueSpan(Cue.no, span.start, span.end)
    return span


def _stands_by_itself(tokens: Sequence[Token], start: int, end: int) -> bool:
    if end == len(tokens):
        return True
    after = tokens[end]
    listed = start > 0 and tokens[start - 1].text in _LIST_MARKS and len(after.written) == 1 and after.written.isupper()
    if listed:
        return True  # "A) no B) yes"
    if not after.is_word:
        return after.text != "-" or after.spaced
    first = start == 0 or not tokens[start - 1].is_word
    return (first and after.text in STARTERS) or after.text in ("或", "or", "oder")
