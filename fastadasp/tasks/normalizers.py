"""What a transcript and its reference are turned into before their words are compared."""

import re
from collections.abc import Callable
from enum import Enum
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

Normalizer = Enum("Normalizer", ["auto", "english", "basic", "none"])
"""`english`: Whisper's for English; `basic`: Whisper's for other languages, with combining marks kept; `none`: only
white space is evened out; `auto`: `english` for English, else `basic`."""

Unit = Enum("Unit", ["auto", "word", "character"])
"""What is counted: words between spaces, or characters (grapheme clusters, spaces left out); `auto`: characters where
the language has no spaces between words."""

_POINTS = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc]"
)
"""Vowel points of Hebrew and Arabic, which writers may leave out, and the stroke that lengthens Arabic words."""

_NOISES = (
    "noise laughter laugh cough breath breathing inhale exhale sigh lipsmack click silence sil pause music unk "
    "unintelligible inaudible foreign vocalized-noise vocalsound background beep ring sneeze throat applause crosstalk "
    "hesitation static"
)
_NOISE = "|".join(map(re.escape, sorted(_NOISES.split(), key=len, reverse=True)))
_MARKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\[laughter-([^\]]+)\]", r"\1"),  # laughed words
        (r"\[[^\]/\s]+/([^\]]+)\]", r"\1"),  # [said/meant]
        (r"(?<!\S)[\w']*(?:\([\w']*\)|\[[\w']*\])[\w']*-(?!\S)", " "),  # w(ant)-, th[e]-
        (r"\(\(\s*([^()]*?)\s*\)\)", r"\1"),  # words that the transcriber was not sure of
        (rf"[{{\[(<+#*](?:[bse]_)?(?:{_NOISE})[^}}\])>\s]*[}}\])>+#*]*", " "),
        (rf"(?<!\S)[%&](?:{_NOISE})(?!\S)", " "),
        (r"<[^<>]*>|\[[^\[\]]*\]", " "),
        (r"(?<!\S)[\w']+-(?!\S)", " "),  # th-
        (r"(?<!\S)-[\w']+(?!\S)", " "),  # -kay
        (r"\{([^{}]*)\}", r"\1"),  # coined words
        (r"(?<=\w)_\d+\b", ""),  # pronounced another way: them_1
        (r"(?<!\S)[%&*@^~](?=\w)", ""),
    )
)


def spoken_words(text: str) -> str:
    """`text` without the marks of conversational corpora (Switchboard, Fisher, CallHome, AMI, TED-LIUM).

    Noises and broken-off words are left out, laughed and doubtful words kept; of [said/meant] the word meant.

    >>> " ".join(spoken_words("[laughter-yeah] th- the {breath} w(ant)- ((want)) it [noise]").split())
    'yeah the want it'
    """
    for mark, replacement in _MARKS:
        text = mark.sub(replacement, text)
    return text


@cache
def normalizer(kind: Normalizer) -> Callable[[str], str]:
    """The function of a kind other than `auto`."""
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    match kind:
        case Normalizer.english:
            return _quickened(EnglishTextNormalizer(), EnglishTextNormalizer())
        case Normalizer.basic:
            # Whisper's own puts a space for every mark, which cuts words of Hindi or Thai and hides wrong vowels.
            whisper = BasicTextNormalizer(preserve_marks=True)
            # In lower case the Turkish capital of i would keep its dot as a mark of its own.
            return lambda text: str(whisper(_POINTS.sub("", text).replace("\u0130", "i")))
        case Normalizer.none:
            return lambda text: " ".join(text.split())
        case _:
            raise ValueError("the normaliser of `auto` depends on the language; choose english, basic or none")


def _quickened(whole: Any, rest: Any) -> Callable[[str], str]:
    """Whisper's normaliser for English, which takes half of the time for most texts; two instances of it are given.

    Half of its time goes into some sixty replacements of words and contractions, each of which looks through the text.
    One look tells whether there is anything to replace, provided that what the normaliser does before (brackets,
    fillers, blanks before apostrophes) leaves the text as it is.
    """
    patterns = [whole.ignore_patterns, *whole.replacers]
    words = [one for one in patterns if one[:2] == one[-2:] == r"\b"]
    others = [one for one in patterns if one not in words and "'" not in one]
    one_of_words = rf"\b(?:{'|'.join(word[2:-2] for word in words)})\b"
    something = re.compile("|".join(["[<(\\[']", one_of_words, *others]))
    rest.replacers = {}
    return lambda text: str((whole if something.search(text.lower()) else rest)(text))


@lru_cache(maxsize=20_000)
def normalized(text: str, kind: Normalizer) -> str:
    """`text` in the normal form of a kind; what was asked for a short while ago, as references are, is remembered."""
    return normalizer(kind)(text)


def graphemes(text: str) -> str:
    """`text` with a space between its characters and nowhere else; a letter and its marks are one character."""
    import regex

    return " ".join(regex.findall(r"\X", "".join(text.split())))


def versions(*packages: str) -> dict[str, str]:
    """Of packages that compute scores."""
    return {package: version(package) for package in packages}
