"""The transcript or translation inside an answer: tags, lead-ins, remarks and quotation marks around it are cut.

Each rule is a function from text to text, and does nothing to a text that is not wrapped in what it cuts. A rule that
would change the reference itself is not applied to the answer: the sentence is really so. The reference stays as it is,
and an answer that equals it is never changed.
"""

import json
import re
from collections.abc import Callable

from fastadasp.tasks.reading.cleaning import TAG
from fastadasp.tasks.reading.lead_in_words import LANGUAGES, OWN_NAMES
from fastadasp.tasks.reading.lead_ins import FURTHER, LABEL, PLAIN_SAYING, REMARK, announcing

_QUOTES = {
    '"': '"',
    "'": "'",
    "\u201c": "\u201d\u201c",
    "\u2018": "\u2019\u2018",
    "\u201e": '\u201c\u201d\u201f"',
    "\u201a": "\u2018\u2019",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab",
    "\u2039": "\u203a",
    "\u203a": "\u2039",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
    "\u300a": "\u300b",
    "\uff02": "\uff02",
    "\u301d": "\u301e\u301f",
}
"""Quotation marks of many languages: the opening mark, and those that close it."""
_ELIDED = re.compile(r"['\u2018\u2019](?:tis|twas|twere|cause|em|til|round|n|bout|twill)\b", re.IGNORECASE)
_TOKEN = re.compile(
    r"</?s>|<(?:pad|eos|bos|end_of_turn|im_end|eot)>|<\|im_start\|>\s*assistant\b|\[/?(?:START|END|INST|TRANSCRIPT)\]|"
    r"\A\s*(?:language [A-Z][a-z]+)?\s*<asr_text>"
)
_TIME = re.compile(
    r"\[?\b\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?\s*(?:-+>?|\u2013|\u2192)\s*\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?\]?"
)
_FENCE = re.compile(r"\A\s*```[a-z]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_ELEMENT = re.compile(
    r"\A\s*<(transcription|transcript|translation|text|answer|output|response)>\s*(.*?)\s*</\1>\s*\Z",
    re.DOTALL | re.IGNORECASE,
)
_EMPHASIS = re.compile(r"\A\s*(\*{1,3}|_{1,2}|`)(?=\S)(.+?)(?<=\S)\1\s*\Z", re.DOTALL)
_BOLD_LABEL = re.compile(r"\A\s*(?:#+\s*|>\s*)?(\*{1,3}|_{1,2})([^*_\n]{1,80}?)(:?)\1(\s*:?)")
_BOTH_QUOTED = re.compile(
    r"(?:The (?:\w+ )?(?:sentence|phrase|text) )?[\"\u201c\u201e'\u2018].{1,400}?[\"\u201d\u201c'\u2019],? "
    r"(?:translates?|is translated|can be translated|means|\u00fcbersetzt)"
    r"[^\"\u201c\u201e\u2018']{0,40}?([\"\u201c\u201e'\u2018].+[\"\u201d\u201c'\u2019])(?: (?:in|auf) \w+)?[.!]?",
    re.DOTALL,
)
_ARROW = re.compile(r"[^\n\u2192]{3,300}?[.!?\u3002\"]\s*(?:->|=>|\u2192)\s*(?=\S)")
_HEADING = re.compile(
    r"\A\s*(?:#{1,6}\s+|(\*\*|__))(?:(?:english|final|full) )?(?:transcription|transcript|translation|"
    r"text)\s*:?(?(1)\1)"
    r"\s*:?\s*\n\s*",
    re.IGNORECASE,
)
_AGREED = re.compile(r"\A\s*(?:Sure|Certainly|Of course|Okay|OK)(?: thing)?[!.:]\s+(?=[\"\u201c\u201e\u00ab])")
_NAMED_AFTER = re.compile(
    r"\s+(?:in (?:English|German|Spanish|French|Chinese|Japanese|Korean)|is the (?:\w+ )?(?:translation|transcription|"
    r"transcript))[.!]?\s*\Z"
)
_SPEAKER = re.compile(
    r"^\s*(?:\[?(?i:speaker)[ _]?(?:\d+|[A-D])\]?|\[(?i:speaker)\]|S(?:peaker|PEAKER))\s*:\s*", re.MULTILINE
)
_LONGEST = 120
"""Characters of the longest lead-in."""
_COLON = re.compile(r"\s*[:\uff1a]\s*")
_END = re.compile(r"(?:\u3067\u3059)?[.!\u3002]?\s*\Z")
_KEYS = ("transcription", "transcript", "translation", "text", "answer", "output", "result", "content")
_OTHER = {
    "transcript": re.compile(
        r"^\W*(?:translation|\u00fcbersetzung|traducci\u00f3n|traduction|\u7ffb\u8bd1)\W*[:\uff1a]", re.I | re.M
    ),
    "translation": re.compile(
        r"^\W*(?:transcription|transcript|transkription|source|original)\W*[:\uff1a]", re.I | re.M
    ),
}


def unwrap(text: str, reference: str = "", kind: str = "transcript", language: str = "") -> str:
    """The `kind` (transcript or translation) inside a chatty answer; `text` itself, cleaned, when nothing is around it.

    language: into which was translated, as the task names it; "German: ..." is a lead-in only if that is German.

    >>> unwrap("The original content of this audio is: 'good morning'")
    'good morning'
    """
    rules: list[Callable[[str], str]] = [
        _without_tags,
        _without_container,
        lambda given: _one_of_two(given, kind),
        lambda given: _target_of_two(given, kind),
        lambda given: _without_language(given, language),
        without_lead_in,
        _without_last_paragraph,
        without_quotation_marks,
    ]
    text = text.strip()
    for rule in rules:
        if _plain(rule(reference)) == _plain(reference):
            text = rule(text)
    return _plain(text)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _without_tags(text: str) -> str:
    """No special tokens, time stamps of subtitles, or speakers' numbers."""
    return _SPEAKER.sub("", _TIME.sub(" ", TAG.sub(" ", _TOKEN.sub(" ", text)))).strip()


def _without_container(text: str) -> str:
    """What a code fence, an XML element, bold type or a JSON object holds, if it holds everything."""
    for pattern in (_FENCE, _ELEMENT, _EMPHASIS):
        if (found := pattern.match(text)) and found[1] not in (found[2] if found.re is _EMPHASIS else ""):
            text = found[found.re.groups]
    if text.lstrip().startswith("{"):
        try:
            fields = json.loads(text)
        except ValueError:
            return text
        named = [fields[key] for key in _KEYS if isinstance(fields.get(key), str)] if isinstance(fields, dict) else []
        return named[0] if named else text
    return text


def _one_of_two(text: str, kind: str) -> str:
    """Of a transcript and a translation under headings of their own, the one that was asked for."""
    heading, other = _OTHER["translation" if kind == "transcript" else "transcript"], _OTHER[kind]
    wanted, unwanted = heading.search(text), other.search(text)
    if kind == "translation":
        wanted, unwanted = _OTHER["transcript"].search(text), _OTHER["translation"].search(text)
    if unwanted and wanted and wanted.start() < unwanted.start():
        return text[wanted.start() : unwanted.start()].strip()
    if unwanted and wanted:
        return text[wanted.start() :]
    if kind == "transcript" and unwanted and unwanted.start() > 0:
        return text[: unwanted.start()].strip()
    return text


def _target_of_two(text: str, kind: str) -> str:
    """Of "'It is late' translates to 'Es ist sp\u00e4t.'" the second sentence."""
    found = _BOTH_QUOTED.fullmatch(text.strip())
    arrow = _ARROW.match(text) if kind == "translation" else None
    return found[1] if found else text[arrow.end() :] if arrow else text


def _without_language(text: str, language: str) -> str:
    """No "German:" before a translation into German."""
    if language.lower() not in LANGUAGES:
        return text
    own = f"{language}|{OWN_NAMES[language.lower()]}" if language.lower() in OWN_NAMES else language
    found = re.search(rf"^\W{{0,3}}(?:{own})\W{{0,3}}?[:\uff1a]\s*", text, re.IGNORECASE | re.MULTILINE)
    if not found:
        return text
    others = re.search(rf"^\W{{0,3}}(?:{'|'.join(LANGUAGES)})\W{{0,3}}?[:\uff1a]", text[found.end() :], re.I | re.M)
    return text[found.end() :][: others.start() if others else None].strip()


def without_lead_in(text: str) -> str:
    """No announcement, and no remark after what is announced."""
    plain = _AGREED.sub("", _BOLD_LABEL.sub(r"\2\3\4", _HEADING.sub("", text)))
    if plain != text and (_HEADING.match(text) or _AGREED.match(text)):
        text = plain
    before_colon, before_quotation = announcing()
    if colon := _COLON.search(plain, 0, _LONGEST):
        head, rest = plain[: colon.start()], plain[colon.end() :].strip()
        if before_colon.fullmatch(head) or FURTHER.fullmatch(head) or LABEL.fullmatch(head):
            return _without_container(re.sub(r"\A>\s+", "", _without_remark(rest)))
    for mark in re.finditer(rf"[{''.join(_QUOTES)}]", plain[:_LONGEST]):
        head, rest = plain[: mark.start()].rstrip(" ,:\uff1a\n"), _without_remark(plain[mark.start() :].strip())
        rest = _quoted_alone(rest)
        if before_quotation.fullmatch(head) and without_quotation_marks(rest) != rest:
            return rest
    if found := PLAIN_SAYING.match(plain):
        return plain[found.end() :]
    return text


def _quoted_alone(text: str) -> str:
    """A quotation without what only names its language or kind after it: '"Es ist spät" in German.'"""
    bare = _NAMED_AFTER.sub("", text)
    return bare if without_quotation_marks(bare) != bare else text


def _without_remark(text: str) -> str:
    """No remark in a last sentence or paragraph of its own."""
    for found in re.finditer(r"(?<=[.!?\u3002\uff01\"'\u201d\u2019\u300d\u00bb)])\s+|\n+", text):
        if REMARK.match(text, found.end()):
            return text[: found.start()].strip()
    return text


def _without_last_paragraph(text: str) -> str:
    """No remark in a last paragraph of its own, also where no lead-in was cut."""
    for found in re.finditer(r"\n+\s*", text):
        if found.start() and REMARK.match(text, found.end()):
            return text[: found.start()].strip()
    return text


def without_quotation_marks(text: str) -> str:
    """No quotation marks around all of the text; quotations within it stay."""
    text = text.strip()
    bare = _NAMED_AFTER.sub("", text)
    if bare != text and without_quotation_marks(bare) != bare:
        text = bare
    closing = _QUOTES.get(text[:1], "")
    end = _END.search(text)
    inner = text[1 : end.start()] if end else ""
    if not closing or not inner or inner[-1] not in closing or _ELIDED.match(text):
        return text
    inner = inner[:-1]
    marks = closing + text[0] if text[0] not in "'\u2018\u201a" else ""
    if any(mark in inner for mark in marks) or (not marks and re.search(r"(?<!\w)['\u2018]|['\u2019](?!\w)", inner)):
        return text
    return inner.strip()
