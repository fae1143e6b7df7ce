"""Answers that name an option by some of its words alone: "Paris" for "Paris, France", "A car. The man's."."""

import re
from collections.abc import Mapping, Sequence

from fastadasp.tasks.reading.lexicon import ARTICLES, COPULAS, SUBJECTS
from fastadasp.tasks.reading.options import Options, comparable
from fastadasp.tasks.reading.tokens import Token, tokenize, words

_ENDING = re.compile(r"(?:e[rnms]?|ing|ed)$")
_LITTLE = words(
    """in on at by of for with from into his her their its my your our one ones some 's and or zum zur mit von aus bei
    auf nach und seine ihre en de del al con por para su y
    there here i think believe guess maybe perhaps"""
)
_FUNCTION_WORDS = (ARTICLES | COPULAS | SUBJECTS | _LITTLE) - words("am no not")
"""Words that say nothing of an option's content; "am" is half of a time of day."""


def by_content(tokens: Sequence[Token], options: Options, parts: bool) -> str:
    """The letter of the one option whose words the answer holds, or that holds all words of the answer; else empty.

    parts: whether the latter counts.
    """
    said = _content(tokens)
    of_option = {key: _content(tokenize(text)) for key, text in zip(options.keys, options.texts, strict=True)}
    whole = [key for key, words in of_option.items() if words and all(_holds(said, word) for word in words)]
    largest = [key for key in whole if all(_within(of_option[other], of_option[key]) for other in whole)]
    if len(largest) == 1:
        return largest[0]
    if whole or not parts:
        return ""
    if uncounted := _uncounted(said, of_option):
        return uncounted
    part = [key for key, words in of_option.items() if said and all(_holds(words, word) for word in said)]
    return part[0] if len(part) == 1 else ""


def _uncounted(said: frozenset[str], of_option: Mapping[str, frozenset[str]]) -> str:
    """The one option that the answer holds but for its number, where the answer has none: "eggs" for "two eggs"."""
    things = {key: frozenset(word for word in words if not word.isdigit()) for key, words in of_option.items()}
    if any(word.isdigit() for word in said):
        return ""
    found = [key for key, words in things.items() if words and _within(words, said)]
    return found[0] if len(found) == 1 else ""


def _content(tokens: Sequence[Token]) -> frozenset[str]:
    """The words that carry meaning, without their endings."""
    words = (comparable(token, 2) for token in tokens if token.text not in _FUNCTION_WORDS)
    return frozenset(word for word in words if word)


def _holds(words: frozenset[str], wanted: str) -> bool:
    return any(_alike(word, wanted) for word in words)


def _within(words: frozenset[str], others: frozenset[str]) -> bool:
    return all(_holds(others, word) for word in words)


def _alike(first: str, second: str) -> bool:
    """Equal but for a German adjective's ending: "blaue", "blauer"."""
    if first == second:
        return True
    stems = {_ENDING.sub("", word) for word in (first, second)}
    return len(stems) == 1 and len(stems.pop()) >= 3
