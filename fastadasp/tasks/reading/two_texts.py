"""Answers that give both the transcript and its translation: the one that was asked for is taken."""

import re

from fastadasp.tasks.reading.language_names import LANGUAGES, OWN_NAMES

_NAMES = "|".join(LANGUAGES)
_HEADINGS = {
    "translation": re.compile(
        rf"^\W*(?:(?:{_NAMES}) )?(?:translation|translated text|target|\u00fcbersetzung|traducci\u00f3n|traduction|"
        rf"traduzione|tradu\u00e7\u00e3o|\u7ffb\u8bd1|\u8bd1\u6587|\u7ffb\u8a33)(?: \((?:{_NAMES})\))?\W*[:\uff1a]",
        re.IGNORECASE | re.MULTILINE,
    ),
    "transcript": re.compile(
        rf"^\W*(?:(?:{_NAMES}) )?(?:transcription|transcript|transkription|source|original|transcripci\u00f3n|"
        rf"\u539f\u6587|\u8f6c\u5f55)(?: (?:text|\((?:{_NAMES})\)))?\W*[:\uff1a]",
        re.IGNORECASE | re.MULTILINE,
    ),
}
_BOTH_QUOTED = re.compile(
    r"(?:The [\w ]{1,60})?[\"\u201c\u201e'\u2018].{1,400}?[\"\u201d\u201c'\u2019],? (?:which )?"
    r"(?P<verb>translates?|is translated|can be translated|means|\u00fcbersetzt|"
    r"(?:in|auf) \w+ (?:is|would be|means|ist|hei\u00dft))"
    r"[^\"\u201c\u201e\u2018']{0,40}?(?P<second>[\"\u201c\u201e'\u2018].+[\"\u201d\u201c'\u2019])"
    r"(?: (?:in|auf) \w+)?[.!]?",
    re.DOTALL,
)
_MARKUP = "*_ \t\n"
_ARROW = re.compile(r"[^\n\u2192]{3,300}?[.!?\u3002\"]\s*(?:->|=>|=|\u2192)\s*(?=\S)")


def one_of_two(text: str, kind: str) -> str:
    """Of a transcript and a translation under headings of their own, the one that was asked for."""
    other = "translation" if kind == "transcript" else "transcript"
    wanted, unwanted = _HEADINGS[kind].search(text), _HEADINGS[other].search(text)
    if unwanted and wanted and wanted.start() < unwanted.start():
        return text[wanted.end() : unwanted.start()].strip(_MARKUP)
    if unwanted and wanted:
        return text[wanted.end() :].strip(_MARKUP)
    if kind == "transcript" and unwanted and unwanted.start() > 0:
        return text[: unwanted.start()].strip()
    return text


def second_of_two(text: str, kind: str) -> str:
    """Of "'It is late' translates to 'Es ist sp\u00e4t.'" the second sentence.

    What one word means is said by real sentences too, so that "means" counts in translations alone.
    """
    found = _BOTH_QUOTED.fullmatch(text.strip())
    if found and found["verb"] == "means" and kind == "transcript":
        found = None
    arrow = _ARROW.match(text) if kind == "translation" else None
    return found["second"] if found else text[arrow.end() :] if arrow else text


def without_language(text: str, language: str) -> str:
    """No "German:" or "DE:" before a text in German."""
    if language.lower() not in LANGUAGES:
        return text
    own = "|".join((language, OWN_NAMES.get(language.lower(), language)))
    colon = r"\W{0,3}?[:\uff1a]\s*(?:\*\*|__)?\s*"
    found = re.search(rf"^\W{{0,3}}(?:{own}){colon}", text, re.IGNORECASE | re.MULTILINE)
    if not found:
        return text
    others = re.search(rf"^\W{{0,3}}(?:{_NAMES})\W{{0,3}}?[:\uff1a]", text[found.end() :], re.I | re.M)
    return text[found.end() :][: others.start() if others else None].strip()
