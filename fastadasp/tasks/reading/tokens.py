"""An answer as tokens: words, numbers, signs, and the ends of lines."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache


def words(text: str) -> frozenset[str]:
    """The words or signs that `text` lists."""
    return frozenset(text.split())


_UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f"
_TOKEN = re.compile(
    rf"""(?P<line>\n)
    | (?P<abbreviation>(?<!\w)(?:[A-Za-z]\.){{2,}}(?!\w))
    | (?P<ordinal>\d+(?:st|nd|rd|th)\b)
    | (?P<number>\d+(?:[.,:]\d+)*)
    | (?P<character>[{_UNSPACED}])
    | (?P<word>(?:(?![\d_{_UNSPACED}])\w)+(?:'(?:(?![\d_{_UNSPACED}])\w)+)*'?)
    | (?P<dots>\.{{2,}}|\u2026)
    | (?P<arrow>->|=>|\u2192|\u21d2)
    | (?P<sign>\S)""",
    re.VERBOSE,
)
_CLITIC = re.compile(r"(.+?)(n't|'s|'m|'re|'ve|'ll|'d)$")
_ELISION = re.compile(r"([cdjlmnst]|qu)'(.+)$")
_CONTRACTED = {
    f"{verb}nt": verb
    for verb in words("is are was were do does did has have had would could should must need wo ca ai")
}
"""Negations that are written without their apostrophe; "cant" and "wont" are no other words in an answer."""
_MARKS = {"✓": "✓", "✔": "✓", "☑": "✓", "✅": "✓", "✗": "✗", "✘": "✗", "❌": "✗", "☒": "✗"}
ENDS = words("! ? 。 … ؟ ।")
"""Signs that end a sentence; a full stop does so unless it belongs to something else."""


@dataclass(frozen=True)
class Token:
    """One word, number or sign."""

    text: str
    """In lower case; "not" for "n't"."""
    written: str
    """As it stands in the answer."""
    kind: str
    """`word`, `number`, `sign` or `line`."""
    spaced: bool
    """Whether white space, or the start of a line, stands before it."""

    @property
    def is_word(self) -> bool:
        """Whether it is a word or a number."""
        return self.kind in ("word", "number")


@lru_cache(maxsize=4096)
def tokenize(text: str) -> tuple[Token, ...]:
    """The tokens of a cleaned answer, of an option's text, or of a phrase of the lexicon."""
    return tuple(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    end = -1
    for match in _TOKEN.finditer(text):
        written, kind = match[0], match.lastgroup or ""
        spaced, end = match.start() != end, match.end()
        match kind:
            case "word":
                yield from _split(written, spaced)
            case "abbreviation":
                yield Token(written.replace(".", "").lower(), written, "word", spaced)
            case "number":
                yield Token(written, written, "number", spaced)
            case "ordinal" | "character":
                yield Token(written.lower(), written, "word", spaced)
            case "line":
                yield Token("\n", written, "line", spaced)
            case "dots":
                yield Token("...", written, "sign", spaced)
            case "arrow":
                yield Token("→", written, "sign", spaced)
            case _:
                yield Token(_MARKS.get(written, written), written, "sign", spaced)


def _split(written: str, spaced: bool) -> Iterator[Token]:
    """A word and the contractions at its end ("isn't": is, not) or its start ("n'est": n', est)."""
    word = written.rstrip("'")
    if found := _CLITIC.match(word.lower()):
        stem, clitic = word[: len(found[1])], found[2]
        yield Token(stem.lower(), stem, "word", spaced)
        yield Token("not" if clitic == "n't" else clitic, word[len(stem) :], "word", False)
    elif word.lower() in _CONTRACTED:
        stem = _CONTRACTED[word.lower()]
        yield Token(stem, word[: len(stem)], "word", spaced)
        yield Token("not", word[len(stem) :], "word", False)
    elif found := _ELISION.match(word.lower()):
        yield Token(f"{found[1]}'", word[: len(found[1]) + 1], "word", spaced)
        yield Token(found[2], word[len(found[1]) + 1 :], "word", False)
    elif word:
        yield Token(word.lower(), word, "word", spaced)
    for _ in range(len(written) - len(word)):
        yield Token("'", "'", "sign", False)


def without_accents(text: str) -> str:
    """`text` without the accents of Latin letters ("sí": "si")."""
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", re.sub(r"(?<=[a-zA-Z])[\u0300-\u036f]+", "", decomposed))
