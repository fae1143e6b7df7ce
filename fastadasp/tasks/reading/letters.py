"""Which single letters of an answer name an option, and which are articles, pronouns, initials or names."""

from collections.abc import Collection, Sequence

from fastadasp.tasks.reading.lexicon import AFTER_LETTER, COPULAS, LABELLED, TITLES
from fastadasp.tasks.reading.tokens import ENDS, Token, words
from fastadasp.tasks.reading.words.vocabulary import Cue

_INTRODUCING = frozenset({Cue.letter, Cue.verdict, Cue.choose, Cue.final, Cue.conclude, Cue.reject, Cue.options})
_NAMING = words("option choice letter alternative opción letra lettre")
"""Words after which no article stands."""
_QUOTES = frozenset("\"'“”«»„「」『』")
_OPENING = frozenset("([{<") | _QUOTES
_LINKS = words("is be 's : = → es est ist la die than not or and")
"""What stands before a letter that is named in passing: "it is c", "b or c"."""


def names_option(tokens: Sequence[Token], at: int, letters: Collection[str], cue_before: Cue | None) -> bool:
    """Whether the token at `at` is one of `letters` and names an option.

    cue_before: the cue that ends right before it. A capital names an option unless it is a name's ("vitamin C",
    "John B. Smith"); A and I, which are words too, and small letters need a place where the word cannot stand.
    """
    token = tokens[at]
    letter = token.written.upper()
    if token.kind != "word" or len(letter) != 1 or letter not in letters or _is_name(tokens, at, cue_before):
        return False
    if token.written.isupper() and letter not in "AI":
        return True
    introduced = cue_before in _INTRODUCING
    if token.written.isupper():
        return (
            _stands_alone(tokens, at)
            or _before(tokens, at) == "la"
            or (_after(tokens, at) in AFTER_LETTER and (letter != "I" or introduced))
        )
    if letter in "AEIOUY" and cue_before is Cue.letter and _before(tokens, at) in _NAMING:
        return True
    if letter in "AEIOUY":
        return _is_marked(tokens, at) or ((introduced or _before(tokens, at) in _LINKS) and _closes(tokens, at))
    return _is_marked(tokens, at) or introduced or _stands_alone(tokens, at) or _after(tokens, at) in AFTER_LETTER


def _before(tokens: Sequence[Token], at: int) -> str:
    """The token before, quotes and opening brackets left out; empty at the start."""
    at -= 1
    while at >= 0 and tokens[at].text in _OPENING:
        at -= 1
    return tokens[at].text if at >= 0 else ""


def _after(tokens: Sequence[Token], at: int) -> str:
    return tokens[at + 1].text if at + 1 < len(tokens) else ""


def _stands_alone(tokens: Sequence[Token], at: int) -> bool:
    """Whether no word follows: an end, a sign, or a word of a script without spaces."""
    if at + 1 == len(tokens):
        return True
    after = tokens[at + 1]
    return not after.is_word or (not after.text.isascii() and len(after.text) == 1 and not after.spaced)


def _closes(tokens: Sequence[Token], at: int) -> bool:
    """Whether a small vowel is a letter by what follows: the end, a sign, a reason."""
    return _stands_alone(tokens, at) or _after(tokens, at) in ("because", "since", "as", "and", "or", "weil", "porque")


def _is_marked(tokens: Sequence[Token], at: int) -> bool:
    """Whether the letter is set as that of a list: "(b)", "b)", "b." or "b:" at the start of a line or statement."""
    after = _after(tokens, at)
    if after in (")", "]", "}") and (at == 0 or tokens[at - 1].spaced or not tokens[at - 1].is_word):
        return True
    starts = at == 0 or tokens[at - 1].kind == "line" or tokens[at - 1].text in ENDS | {".", ";", ":", *_OPENING}
    return starts and after in (".", ":", ",", "", "\n", "-", *_QUOTES)


def _is_name(tokens: Sequence[Token], at: int, cue_before: Cue | None) -> bool:
    """Whether the letter belongs to another word: a numbered noun, or a person's initial."""
    before = tokens[at - 1] if at else None
    if before is None:
        return False
    if before.text in LABELLED or (before.text in ("-", "'", "&", "_") and not tokens[at].spaced and at > 1):
        return before.text in LABELLED or (tokens[at - 2].is_word and not before.spaced)
    title = before.text in TITLES or (before.text == "." and at > 1 and tokens[at - 2].text in TITLES)
    if title:
        return True
    following = tokens[at + 1 : at + 3]
    initial = len(following) == 2 and following[0].text == "." and following[1].written[:1].isupper()
    named = before.written[:1].isupper() and not before.written.isupper() and not before.text.endswith("ly")
    return initial and named and cue_before is None and before.text not in COPULAS
