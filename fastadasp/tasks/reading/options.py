"""The options of a choice task, and the wordings by which an answer can name each."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from string import ascii_uppercase

from fastadasp.tasks.reading.lexicon import ARTICLES, LITTLE, NO, NUMBERS, VOCABULARIES, YES
from fastadasp.tasks.reading.tokens import Token, tokenize, without_accents
from fastadasp.tasks.reading.words.english import ENGLISH

GAP = "*"
"""In a wording: up to MAX_GAP further words ("one * speaker": "one male speaker")."""
MAX_GAP = 2

_TRUE, _FALSE = ("correct", "true", "是"), ("incorrect", "false", "wrong")
_GERMAN_ADJECTIVE = re.compile(r"(\w{2,}(?:ig|lich|isch|end|al|los))e[rnms]?")
_NUMBERED = ("option", "choice", "option number", "choice number", "answer number", "number", "alternative", "opción")
_FROM_THE_END = {0: ("final",), 1: ("penultimate", "second to last", "second-to-last", "last but one")}
"""Places counted from the end of the list."""
_CHINESE_NUMBERS = "一二三四五六"


@dataclass(frozen=True)
class Wording:
    """One way to name an option."""

    option: str
    """The option's key: its label or letter."""
    words: tuple[str, ...]
    """As `compared` makes them at `level`; GAP stands for further words."""
    level: int
    """How exactly the words of an answer must agree: 0 as written, 1 without articles, 2 without endings and accents
    and with numbers as digits, 3 also without the little words at the start, 4 by a place in the list."""
    alone: bool = False
    """Counts only where it ends a statement that says little else: "second", "the answer is the second"."""


@dataclass(frozen=True)
class Options:
    """What can be answered."""

    keys: tuple[str, ...]
    """Labels, or letters from A."""
    texts: tuple[str, ...] = ()
    """Of lettered options: what each letter stands for."""
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of labels: the wordings of each. One that ends in a full stop counts only where a statement says nothing else."""

    @classmethod
    def of_choices(cls, texts: Sequence[str]) -> "Options":
        """Options with letters, as question answering has them."""
        return cls(tuple(ascii_uppercase[: len(texts)]), texts=tuple(texts))

    @classmethod
    def of_labels(cls, labels: Mapping[str, Iterable[str]]) -> "Options":
        """Options that are named by words: each label and its further wordings."""
        return cls(tuple(labels), labels=tuple((label, tuple(words)) for label, words in labels.items()))

    @property
    def lettered(self) -> bool:
        """Whether letters stand for the options."""
        return bool(self.texts)

    @cached_property
    def wordings(self) -> tuple[Wording, ...]:
        """All wordings, each once; a wording that two options share at one level names neither."""
        found = list(self._of_texts() if self.lettered else self._of_labels())
        owners: dict[tuple[tuple[str, ...], int], set[str]] = {}
        for wording in found:
            owners.setdefault((wording.words, wording.level), set()).add(wording.option)
        return tuple(
            dict.fromkeys(
                wording for wording in found if wording.words and len(owners[wording.words, wording.level]) == 1
            )
        )

    @cached_property
    def polar(self) -> dict[str, str]:
        """The options that are a plain yes or no, by these two words."""
        named = dict(zip(self.keys, self.texts, strict=True)) if self.lettered else {key: key for key in self.keys}
        found: dict[str, str] = {}
        for key, text in named.items():
            for answer, words in (("yes", YES), ("no", NO)):
                if _first_clause(text) in words:
                    found[answer] = "" if answer in found else key  # two options that begin alike: neither
        return {answer: key for answer, key in found.items() if key}

    def _of_labels(self) -> Iterator[Wording]:
        for label, words in self.labels:
            for word in (label, *words):
                yield from _levels(label, word, top=2)
        yield from self._of_polar()

    def _of_texts(self) -> Iterator[Wording]:
        for key, text in zip(self.keys, self.texts, strict=True):
            plain = compared(tokenize(text), 0)
            if len(plain) == 1 and len(plain[0]) == 1 and plain[0].upper() in self.keys:
                continue  # the text is a letter itself: letters are found apart
            yield from _levels(key, text, top=3)
        yield from self._of_polar()
        for place, key in enumerate(self.keys):
            yield from _places(key, place, len(self.keys))

    def _of_polar(self) -> Iterator[Wording]:
        for answer, words, alone in (("yes", YES, _TRUE), ("no", NO, _FALSE)):
            if answer in self.polar:
                for word in words:
                    yield Wording(self.polar[answer], compared(tokenize(word), 0), 0)
                for word in alone:
                    yield Wording(self.polar[answer], compared(tokenize(word), 0), 0, alone=True)


def _first_clause(text: str) -> str:
    """The words before the first sign: "no" of "No, she does not"."""
    words = itertools.takewhile(lambda token: token.is_word, tokenize(text))
    return " ".join(token.text for token in words)


def _levels(option: str, text: str, top: int) -> Iterator[Wording]:
    tokens = tokenize(text)
    alone = text.endswith(".") and top == 2
    for level in range(top + 1):
        yield Wording(option, compared(tokens, level), level, alone)


def _places(option: str, place: int, count: int) -> Iterator[Wording]:
    """An option's place in the list: "the second option", "option two", "the last choice", "第二个"."""

    def wording(text: str, alone: bool = False) -> Wording:
        return Wording(option, compared(tokenize(text), 1), 4, alone)

    for vocabulary in VOCABULARIES:
        ordinals, nouns = vocabulary.ordinals.split(), vocabulary.numbered
        if place < len(ordinals):
            answer = ("answer",) if place and "choice" in nouns else ()  # "my first answer" is what was said before
            yield from (wording(f"{ordinals[place]} {noun}") for noun in (*nouns, *answer, "and", "or"))
            yield wording(ordinals[place], alone=True)
        if place == count - 1 and vocabulary.last:
            yield from (wording(f"{vocabulary.last} {noun}") for noun in nouns)
            yield wording(vocabulary.last, alone=True)
    number = str(place + 1)
    yield wording(number, alone=True)
    yield wording(f"{number}{_ending(place + 1)}", alone=True)
    for name in _FROM_THE_END.get(count - 1 - place, ()) if count > 2 else ():
        yield from (wording(f"{name} {noun}") for noun in ENGLISH.numbered)
        yield wording(name, alone=True)
    yield from (wording(f"{number}{_ending(place + 1)} {noun}") for noun in (*ENGLISH.numbered, "answer"))
    for cardinal in (number, *(word for word, value in NUMBERS.items() if value == number)):
        yield from (wording(f"{noun} {cardinal}") for noun in _NUMBERED)
    if place < len(_CHINESE_NUMBERS):
        yield from (wording(f"第{_CHINESE_NUMBERS[place]}{noun}") for noun in ("个", "项"))
        yield wording(f"选项{_CHINESE_NUMBERS[place]}")
    if count == 2:
        yield wording("latter" if place else "former", alone=True)
        yield wording("latter option" if place else "former option")


def _ending(number: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(number, "th")


def compared(tokens: Sequence[Token], level: int) -> tuple[str, ...]:
    """The words of `tokens` in the form that is compared at `level` (see `Wording`)."""
    kept = [(word, token.text) for token in tokens if (word := comparable(token, level))]
    if level >= 3:
        while len(kept) > 1 and kept[0][1] in LITTLE:
            kept = kept[1:]
    return tuple(word for word, _ in kept)


def comparable(token: Token, level: int) -> str:
    """One token in the form that is compared at `level`; empty if it does not count there."""
    if not token.is_word and token.text not in "$€£¥%" and token.text != GAP:
        return ""
    if level >= 1 and (token.text in ARTICLES or token.text in ("'s", "$", "€", "£", "¥")):
        return ""
    return _stem(NUMBERS.get(token.text, token.text)) if level >= 2 else token.text


@cache
def _american() -> Mapping[str, str]:
    """American for British spellings: "neighbor" for "neighbour"."""
    from whisper_normalizer.english import EnglishSpellingNormalizer

    spellings: Mapping[str, str] = EnglishSpellingNormalizer().mapping
    return spellings


def _stem(word: str) -> str:
    """`word` in American spelling without accents, and without what marks a plural or a grammatical gender."""
    word = without_accents(word)
    word = _american().get(word, word)
    if len(word) >= 5 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) >= 5 and word.endswith(("ses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if len(word) >= 4 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if found := _GERMAN_ADJECTIVE.fullmatch(word):
        return found[1]
    return word[:-1] if len(word) >= 7 and word.endswith(("a", "e", "o")) else word
