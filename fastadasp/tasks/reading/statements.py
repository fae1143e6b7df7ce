"""An answer as statements: sentences, and in them the options (alone or in lists), steering words and breaks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from fastadasp.tasks.reading.lexicon import ARTICLES, COPULAS, SUBJECTS, TITLES
from fastadasp.tasks.reading.spans import LETTER, PAIR, CueSpan, Mention, Span
from fastadasp.tasks.reading.tokens import ENDS, Token, words
from fastadasp.tasks.reading.words.vocabulary import Cue

DESCRIBED = -3
"""`Mention.level` of a letter of which its own text is said: "A is red"."""

_PAIR_GLUE = words(". : ) ] } ( [ - = , \" ' / |") | {"\n"}
_NOT_BEFORE_LETTER = frozenset({".", ":", "\n", ","})
_LIST_GLUE = words(", / & + 、 \" ' “ ” „ ( ) [ ]") | ARTICLES
_ECHO_GLUE = _LIST_GLUE | _PAIR_GLUE | words("; | • · 。") | frozenset(ascii_lowercase)
_LIST_CUES = frozenset({Cue.conjunction, Cue.disjunction, Cue.letter})
_GOES_ON = words("dass daß que")
"""After a comma these begin what is thought or denied: "Ich glaube nicht, dass er wütend ist"."""
_HEDGES = frozenset({Cue.possible, Cue.probable, Cue.minor})
_STRONG = words("; : ( ) [ ] | • = ...")
_LABEL_IN_QUOTES = 4
"""Tokens of a quotation, marks included, up to which it may be a quoted label."""
_OPENING, _CLOSING = "“„«「『《", "”»」』》"


@dataclass(frozen=True)
class Group:
    """Options that stand together: one alone, or a list such as "A, B or C"."""

    mentions: tuple[Mention, ...]
    joint: str = ""
    """What joins them: `and`, `or`, `comma`; empty for one alone."""

    @property
    def start(self) -> int:
        """Its first token."""
        return self.mentions[0].start

    @property
    def end(self) -> int:
        """The token after its last."""
        return self.mentions[-1].end


@dataclass(frozen=True)
class Break:
    """Where a clause ends, or may end."""

    kind: str
    """`comma`, `strong` (other signs), or `subject` (a pronoun that may begin a new clause)."""
    start: int


Item = Group | CueSpan | Break


@dataclass(frozen=True)
class Statement:
    """One sentence."""

    items: tuple[Item, ...]
    start: int
    end: int
    """Tokens from `start` up to and without `end`, the sign that ends it left out."""
    question: bool
    ends_line: bool
    """Whether a line, and no full stop, ends it: a heading may."""


def paired(tokens: Sequence[Token], spans: Sequence[Span]) -> list[Span]:
    """`spans` with each letter and its own text as one: "B. in the car", "in the car (B)", "B is in the car"."""
    done: list[Span] = []
    for span in spans:
        last = done[-1] if done else None
        if isinstance(span, Mention) and isinstance(last, Mention) and _belong_together(last, span):
            between = [token.text for token in tokens[last.end : span.start]]
            glue = _PAIR_GLUE if last.level == LETTER else _PAIR_GLUE - _NOT_BEFORE_LETTER
            if all(text in glue for text in between):
                done[-1] = Mention(span.option, last.start, span.end, PAIR)
                continue
            if last.level == LETTER and between and all(text in COPULAS for text in between):
                done[-1] = Mention(span.option, last.start, span.end, DESCRIBED)
                continue
        done.append(span)
    return done


def _belong_together(first: Mention, second: Mention) -> bool:
    letters = (first.level == LETTER) + (second.level == LETTER)
    return first.option == second.option and letters == 1 and PAIR not in (first.level, second.level)


def without_echoes(tokens: Sequence[Token], spans: Sequence[Span], options: int) -> list[Span]:
    """`spans` without lists that name every option once, as the prompt does, and without what is called a list.

    options: how many there are. A list of two counts only if each has its letter, or if it is announced as a list:
    "yes or no" answers nothing either way.
    """
    mentions = [span for span in spans if isinstance(span, Mention)]
    dropped: set[Mention] = set()
    start = 0
    while start < len(mentions):
        run = _run(tokens, spans, mentions[start:])
        announced = _announced(tokens, spans, run[0].start)
        whole = len(run) == options and (options > 2 or all(mention.level == PAIR for mention in run))
        if len(run) > 1 and (whole or announced or _is_heading(tokens, run, options)):
            dropped.update(run)
        start += len(run)
    return [span for span in spans if span not in dropped]


def _is_heading(tokens: Sequence[Token], run: Sequence[Mention], options: int) -> bool:
    """Whether all options stand before a colon: "Yes/No: No"."""
    return len(run) == options and run[-1].end < len(tokens) and tokens[run[-1].end].text in (":", "→")


def _run(tokens: Sequence[Token], spans: Sequence[Span], mentions: Sequence[Mention]) -> list[Mention]:
    """The first of `mentions` and those that follow it as further items of one list, each option once."""
    run = [mentions[0]]
    for mention in mentions[1:]:
        repeated = mention.option in (earlier.option for earlier in run)
        if repeated or not _is_glue(tokens, spans, run[-1].end, mention.start, _ECHO_GLUE, _LIST_CUES):
            break
        run.append(mention)
    return run


def _announced(tokens: Sequence[Token], spans: Sequence[Span], start: int) -> bool:
    before = [span for span in spans if span.end <= start][-1:]
    return any(
        isinstance(span, CueSpan)
        and span.cue is Cue.options
        and all(not token.is_word or token.text in ARTICLES for token in tokens[span.end : start])
        for span in before
    )


def _is_glue(
    tokens: Sequence[Token], spans: Sequence[Span], start: int, end: int, signs: frozenset[str], cues: frozenset[Cue]
) -> bool:
    """Whether nothing stands between two options but the signs and words of a list."""
    covered = {
        at
        for span in spans
        if isinstance(span, CueSpan) and span.cue in cues and start <= span.start and span.end <= end
        for at in range(span.start, span.end)
    }
    return all(at in covered or tokens[at].text in signs or tokens[at].kind == "number" for at in range(start, end))


def statements(tokens: Sequence[Token], spans: Sequence[Span]) -> list[Statement]:
    """The sentences of an answer in their order; those without options and steering words too."""
    items = sorted([*_grouped(tokens, spans), *_breaks(tokens, spans)], key=lambda item: item.start)
    covered = {at for item in items if not isinstance(item, Break) for at in range(item.start, item.end)}
    quoted = {at for start, end in quotations(tokens) for at in range(start, end)}
    found = []
    start = 0
    for at, token in enumerate((*tokens, Token("\n", "", "line", True))):
        if at < len(tokens) and (at in covered or (at in quoted and token.kind != "line") or not _ends(tokens, at)):
            continue
        within = tuple(item for item in items if start <= item.start < at)
        if at > start:
            found.append(
                Statement(within, start, at, _asks(tokens, start, at), token.kind == "line" and at < len(tokens))
            )
        start = at + 1
    return found


def _asks(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether a sentence asks; one with "isn't it?" or ", right?" at its end does not."""
    if end == len(tokens) or tokens[end].text not in "?؟":
        return False
    words = [token.text for token in tokens[start:end]]
    comma = max((at for at, word in enumerate(words) if word in ","), default=None)
    tag = words[comma + 1 :] if comma else []
    return not (
        tag and ((tag[-1] in SUBJECTS and len(tag) <= 3) or tag in (["right"], ["correct"], ["no"], ["nicht", "wahr"]))
    )


def _ends(tokens: Sequence[Token], at: int) -> bool:
    token = tokens[at]
    if token.text == ".":
        return at == 0 or tokens[at - 1].text not in TITLES
    return token.kind == "line" or token.text in ENDS or token.text == "..."


def quotations(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Where quoted passages stand, quotation marks included; an opening mark without a closing one quotes nothing."""
    found = []
    opened: dict[str, int] = {}
    for at, token in enumerate(tokens):
        if token.text in _OPENING and token.text:
            opened["“"] = at
        elif token.text in _CLOSING and "“" in opened:
            found.append((opened.pop("“"), at + 1))
        elif token.text in "\"'" and token.text in opened:
            found.append((opened.pop(token.text), at + 1))
        elif token.text == '"' or (token.text == "'" and token.spaced):
            opened[token.text] = at
    return found


def _grouped(tokens: Sequence[Token], spans: Sequence[Span]) -> Iterator[Group | CueSpan]:
    """Spans with options that stand in one list joined; the list's own words go into it."""
    mentions = [span for span in spans if isinstance(span, Mention)]
    taken: set[int] = set()
    at = 0
    while at < len(mentions):
        group, joints = [mentions[at]], set()
        for mention in mentions[at + 1 :]:
            joint = _joint(tokens, spans, group[-1].end, mention.start)
            if not joint or (len(group) > 1 and mention.option in (earlier.option for earlier in group)):
                break  # "Between B and C, C is better'
            joints.add(joint)
            group.append(mention)
        at += len(group)
        joint = "or" if "or" in joints else "and" if "and" in joints else "comma" if joints else ""
        taken.update(range(group[0].start, group[-1].end))
        yield Group(tuple(group), joint)
    yield from (span for span in spans if isinstance(span, CueSpan) and span.start not in taken)


def _joint(tokens: Sequence[Token], spans: Sequence[Span], start: int, end: int) -> str:
    """How two options are joined into one list; empty if they are not."""
    within = [span.cue for span in spans if isinstance(span, CueSpan) and start <= span.start and span.end <= end]
    alternatives = Cue.disjunction in within or Cue.possible in within
    if not _is_glue(tokens, spans, start, end, _LIST_GLUE, _LIST_CUES | _HEDGES if alternatives else _LIST_CUES):
        return ""
    if tokens[end - 1].text == "(" and end + 1 < len(tokens) and tokens[end + 1].is_word:
        return ""  # "D (A is the day of the call)": a remark, no further item
    if alternatives or "/" in (token.text for token in tokens[start:end]):
        return "or"
    return "and" if Cue.conjunction in within else "comma"


def _breaks(tokens: Sequence[Token], spans: Sequence[Span]) -> Iterator[Break]:
    covered = {at for span in spans for at in range(span.start, span.end)}
    speech_ends = {end - 1 for start, end in quotations(tokens) if end - start > _LABEL_IN_QUOTES}
    for at, token in enumerate(tokens):
        if at in covered:
            continue
        if at in speech_ends:
            yield Break("strong", at)
        elif token.text in ",":
            if at + 1 == len(tokens) or tokens[at + 1].text not in _GOES_ON:
                yield Break("comma", at)
        elif token.text in _STRONG or (token.text == "-" and token.spaced):
            yield Break("strong", at)
        elif token.text in SUBJECTS:
            yield Break("subject", at)
