"""The reader's words of all languages together: an answer may mix them, and its language need not be known."""

from collections.abc import Iterator
from functools import cache

from fastadasp.tasks.reading.tokens import tokenize
from fastadasp.tasks.reading.words.chinese import CHINESE
from fastadasp.tasks.reading.words.english import ENGLISH
from fastadasp.tasks.reading.words.french import FRENCH
from fastadasp.tasks.reading.words.german import GERMAN
from fastadasp.tasks.reading.words.spanish import SPANISH
from fastadasp.tasks.reading.words.vocabulary import Cue, Vocabulary

VOCABULARIES = (ENGLISH, GERMAN, SPANISH, FRENCH, CHINESE)


def _words(field: str) -> frozenset[str]:
    return frozenset(word for vocabulary in VOCABULARIES for word in getattr(vocabulary, field).split())


COPULAS = _words("copulas")
VERBS = _words("verbs")
LINKS = _words("links")
ARTICLES = _words("articles")
SUBJECTS = _words("subjects")
FIRST_PERSON = _words("first_person")
SELF = _words("self")
AFTER_LETTER = _words("after_letter") | VERBS
STARTERS = _words("starters")
LABELLED = _words("labelled")
TITLES = _words("titles")
LITTLE = ARTICLES | _words("little")
YES, NO = _words("yes"), _words("no")


def _tens(vocabulary: Vocabulary) -> Iterator[tuple[int, str]]:
    return ((10 * place, word) for place, word in enumerate(vocabulary.tens.split(), start=1))


NUMBERS = {
    word: str(value)
    for vocabulary in VOCABULARIES
    for value, word in (*enumerate(vocabulary.numbers.split()), *_tens(vocabulary))
    if word not in ARTICLES
}
"""Number words by their digits; those that are articles, too, mean no number."""


@cache
def phrases() -> dict[tuple[str, ...], Cue]:
    """Each phrase as its tokens, with what it does; of a phrase with two meanings the first cue counts."""
    found: dict[tuple[str, ...], Cue] = {}
    for cue in Cue:
        for vocabulary in VOCABULARIES:
            for phrase in vocabulary.phrases.get(cue, "").split(","):
                tokens = tuple(token.text for token in tokenize(" ".join(phrase.split())))
                if tokens:
                    found.setdefault(tokens, cue)
    return found
