"""What is a lead-in: an announcement of a transcript or translation, from the answer's start to a colon or a quotation.

Two things make a lead-in. All of its words are words of lead-ins (`lead_in_words.py`, one language at a time), and
together they name what was asked for: a transcript, what is heard, or who speaks and says. "The audio guide explained:
turn left" has two words that no lead-in has, and "the speech: a gift" names nothing that was asked for; both stay.
"""

import re
from dataclasses import fields
from functools import cache

from fastadasp.tasks.reading.language_names import LANGUAGES
from fastadasp.tasks.reading.lead_in_words import SPACED, UNSPACED, LeadInWords

_ANNOUNCING = [
    set(needed.split())
    for needed in (
        "result",
        "complete",
        "into language",
        "heard says",
        "heard be",
        "speaker said here",
        "here says",
        "heard content",
        "heard wording",
        "speaker says",
        "wording be",
        "wording here",
        "spoken here",
        "spoken content",
        "spoken wording",
        "spoken be",
        "spoken said",
        "spoken says",
        "spoken heard",
        "quality content",
        "quality wording",
        "language content",
        "language wording",
    )
]
"""Parts that make a lead-in before a colon, where they come together."""
_QUOTING = [*_ANNOUNCING, *(set(needed.split()) for needed in ("quoting", "speaker said", "heard said", "content be"))]
"""Parts that make a lead-in before a quotation. The past tense alone tells stories: "The man said: no" stays whole."""
_LABELLING = [{"content"}, {"wording"}, {"spoken"}, {"heard"}]
"""Parts that make a lead-in where a word with a capital stands alone before the colon: "Sentence:"."""
_NUMBER = re.compile(r"\s+#?\d{1,2}\Z")
_GIVEN = "[\"\u201c\u201e'\u2018][^\"\u201c\u201d']{1,60}[\"\u201c\u201d'\u2019]|[(\\[][\\w ]{2,20}[)\\]]"
"""The source sentence, or a language in brackets, within a lead-in: 'The translation of "please hold" is'."""
_DESCRIBED = re.compile(
    r"(?:in|from) (?:the|this) (?:audio|recording|clip)|"
    r"(?:the )?(?:speech|voice|sound|audio|recording|clip) is (?:that )?of an? (?:\w+ )?"
    r"(?:man|woman|person|speaker|boy|girl|male|female|child)(?: (?:speaking|talking|who speaks))?"
    r"(?:,? in (?:an? |the )?[\w -]{1,40})?,? (?:saying|and says|who says)",
    re.IGNORECASE,
)
"""Where a quotation was heard, and how Qwen-Audio-Chat describes a voice before it quotes what is said."""
_LABEL = re.compile(
    r"(?:Output|My answer|Response|Answer|Result|Text|Speech|Audio|ASR|Assistant|ASSISTANT|Prediction|Hypothesis|"
    r"Ausgabe|Antwort|Ergebnis|Respuesta|Resultado|Réponse|Résultat|Risposta|Resposta|答案|回答|结果|回答内容|"
    r"Final (?:answer|transcription|transcript|translation))"
)
"""Headings that answer templates use, with their capital."""
_MANNER = re.compile(r"in an? (?:\w+ ){0,3}(?:voice|tone|accent)")
"""How something is said, after a quotation."""
_REPORTED = (
    "that|what|how|why|when|where|who|whether|if|he|she|it|they|there|something|nothing|more|less|everything|"
    "anything|all|much|so|to|in|about|the|a|an|this"
)
"""Words after which "the speaker says" is part of a sentence."""
PLAIN_SAYING = re.compile(
    r"(?:In (?:the|this) (?:audio|recording|clip)(?: clip| file)?,? the|The|This) "
    r"(?:audio|recording|clip|speaker|voice|speech)(?: clip| file| recording)?"
    rf"(?: in (?:the|this) (?:audio|recording|clip))? says (?!(?:{_REPORTED})\b)"
)
"""Lead-ins without a sign: in the present tense, with a capital, and not before what can be reported or named."""


def is_lead_in(head: str, *, quotation: bool = False) -> bool:
    """Whether a text up to a colon, or up to a `quotation`, announces what comes after it.

    >>> is_lead_in("Sure! Here is the transcription of the audio"), is_lead_in("The transcription took a year")
    (True, False)
    """
    head = _NUMBER.sub("", head)
    if _LABEL.fullmatch(head) or (quotation and _DESCRIBED.fullmatch(head)):
        return True
    needed = _QUOTING if quotation else _ANNOUNCING
    if head[:1].isupper() and head.isalpha():
        needed = [*needed, *_LABELLING]
    elif head.isalpha() and head.lower() == head.upper():  # a script without capitals
        needed = [*needed, {"wording"}]
    return any(parts >= one for parts in _parts(head) for one in needed)


def is_polite(text: str) -> bool:
    """Whether a sentence says nothing but yes: "Sure!"."""
    return any(parts == {"polite"} for parts in _parts(text.strip(" .!:\n")))


def names_what_precedes(text: str) -> bool:
    """Whether a text after a quotation says what the quotation is: "in German", "is the translation", "(English)"."""
    named = [{"result"}, {"spoken"}, {"language", "into"}]
    bare = text.strip(" .!()-\u2013\u2014")
    return (
        bool(_MANNER.fullmatch(bare))
        or bare.lower() in LANGUAGES
        or any(parts >= one for parts in _parts(bare) for one in named)
    )


def _parts(head: str) -> list[set[str]]:
    """The parts of a lead-in that a text's last sentence holds, for each language that all of its words belong to."""
    found = []
    for patterns, separator in _languages():
        parts: set[str] = set()
        place = 0
        while place < len(head):
            if gap := separator.match(head, place):
                if re.search("[.!\uff01\u3002]", gap[0]):
                    parts = set()
                place = gap.end()
                continue
            matches = [(match.end(), part) for part, pattern in patterns if (match := pattern.match(head, place))]
            if not matches:
                break
            place = max(end for end, _ in matches)
            parts.update(part for end, part in matches if end == place)
        else:
            found.append(parts)
    return found


@cache
def _languages() -> list[tuple[list[tuple[str, re.Pattern[str]]], re.Pattern[str]]]:
    """For each language the pattern of each part, and what may stand between two words."""
    spaced = re.compile(r"[\s,;.!\u00a1*_\u2013\u2014-]+|:(?=\s)")
    unspaced = re.compile("[\\s,;.!\uff0c\uff01\u3002\u3001]+")
    return [
        *(([*_patterns(words, r"(?!\w)")], spaced) for words in SPACED),
        *(([*_patterns(words, "")], unspaced) for words in UNSPACED),
    ]


def _patterns(words: LeadInWords, end: str) -> list[tuple[str, re.Pattern[str]]]:
    parts = [(part.name, getattr(words, part.name)) for part in fields(words)]
    parts += [("language", "|".join(LANGUAGES)), ("given", _GIVEN)]
    return [
        (name, re.compile(rf"(?:{alternatives})(?:(?<=['\"\u201d\u2019)\]])|{end})", re.IGNORECASE))
        for name, alternatives in parts
    ]
