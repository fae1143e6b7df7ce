"""What holds a whole answer: special tokens, subtitles, code fences, XML, bold type, JSON."""

import ast
import re
from typing import Any

from fastadasp.files.json_text import JsonError, parse
from fastadasp.tasks.reading.cleaning import TAG
from fastadasp.tasks.reading.language_names import LANGUAGES
from fastadasp.tasks.reading.tokens import words

_CODES = "|".join((*words("en de es zh fr it pt ja ko ru nl ar hi eng deu ger spa fra cmn zho jpn"), *LANGUAGES))
_TOKEN = re.compile(
    r"</?s>|<(?:pad|eos|bos|end_of_turn|im_end|eot)>|\[/?(?:START|END|INST|TRANSCRIPT|BOS|EOS|CLS|SEP|PAD)\]|"
    r"<\|im_start\|>\s*assistant\b|<start_of_turn>\s*model\b|"
    r"\A\s*language:? [A-Z][a-z]+\s*(?:\n(?:\s*(?:text|transcript|transcription):)?|<asr_text>)|"
    rf"\A\s*(?:\[(?:{_CODES})\]|\((?:{_CODES})\)|<(?:{_CODES})>(?!.*</)|<(?:lang[=: ]\w+|speaker ?\d+)>)|<\d+\.\d+>",
    re.IGNORECASE,
)
"""Special tokens in other notations than `<|...|>`, and codes of languages."""
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?"
_TIME = re.compile(
    r"\A\s*WEBVTT\b[^\n]*\n|"
    rf"(?:^[ \t]*\d+[ \t]*\n)?\[?\b{_CLOCK}\s*(?:-+>?|\u2013|\u2192)\s*{_CLOCK}\]?:?|"
    rf"^[ \t]*(?:\[{_CLOCK}\]|\({_CLOCK}\))|"
    r"^[ \t]*\[?\d+\.\d{1,3}s?\s*-+>?\s*\d+\.\d{1,3}s?\]?:?",
    re.MULTILINE,
)
"""Times of subtitles, with the number before them: "1 / 00:00:00,000 --> 00:00:03,200", "[00:00]"."""
_SPEAKER = re.compile(
    r"^\s*(?:\[?(?i:speaker)[ _]?(?:\d+|[A-D])\]?|\[(?i:speaker)\]|S(?:peaker|PEAKER))\s*:\s*", re.MULTILINE
)
_FENCE = re.compile(r"\A\s*```[a-z]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_ELEMENT = re.compile(
    r"\A\s*<([a-z][\w-]*)(?:\s[^<>]*)?>\s*(.*?)\s*</\1>\s*\Z|\A\s*<asr_text>(.*)\Z", re.DOTALL | re.IGNORECASE
)
_EMPHASIS = re.compile(r"\A\s*(\*{1,3}|_{1,2}|`)(?=\S)(.+?)(?<=\S)\1\s*\Z", re.DOTALL)
_ITEM = re.compile(r"\A\s*([-*>\u2022])\s+(?=\S)(?!.*\s\1\s)", re.DOTALL)
"""The sign before the only item of a list, or before a quoted line."""
_DOUBLED = re.compile(r"\A\s*([\"'`])\1{1,2}(?=\w)(.+?)([\"'`])\3{1,2}\s*\Z", re.DOTALL)
"""Quotation marks in twos or threes, as LaTeX and Python write them."""
_MARKUP_ALONE = re.compile(
    "[\\s*_`\"'\u2018-\u201f\u00ab\u00bb\u2039\u203a\u300c-\u300f\u300a\u300b\uff02\u301d-\u301f\u200b\ufeff]+"
)
_LINE = re.compile(r"\A\s*(?:-{3,}|\*{3,}|_{3,})\s*\n|\n\s*(?:-{3,}|\*{3,}|_{3,})\s*\Z")
"""A horizontal line of Markdown before or after the text."""
_KEYS = ("transcription", "transcript", "translation", "text", "answer", "output", "result", "content")


def without_tags(text: str) -> str:
    """No special tokens, time stamps of subtitles, or speakers' numbers."""
    return _SPEAKER.sub("", _TIME.sub(" ", TAG.sub(" ", _TOKEN.sub(" ", text)))).strip()


def without_container(text: str) -> str:
    """What a code fence, an XML element, bold type or a JSON value holds, if it holds everything."""
    for pattern in (_FENCE, _ELEMENT, _EMPHASIS):
        found = pattern.match(text)
        if found and not (pattern is _EMPHASIS and found[1] in found[2]):
            text = found[found.lastindex or 0]
    if _MARKUP_ALONE.fullmatch(text):
        return ""
    text = _ITEM.sub("", _LINE.sub("", text))
    if found := _DOUBLED.match(text):
        text = found[2]
    if text.startswith('\\"'):
        text = text.replace('\\"', '"')
    return _value(text) if text.strip()[:1] in ("{", "[") else text


def _value(text: str) -> str:
    """The text in a JSON object or list, or in Python's notation of one; `text` if it is none."""
    try:
        value = parse(text)
    except JsonError:
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
    found = _text_in(value)
    return text if found is None else found


def _text_in(value: Any) -> str | None:
    if isinstance(value, list) and len(value) <= 1:
        return value[0] if value and isinstance(value[0], str) else _text_in(value[0]) if value else ""
    if not isinstance(value, dict):
        return None
    texts = [value[key] for key in _KEYS if isinstance(value.get(key), str)]
    texts = texts or [inner for inner in value.values() if isinstance(inner, str)]
    if len(texts) == 1 or (texts and any(key in value for key in _KEYS)):
        return str(texts[0])
    return _text_in(next(iter(value.values()))) if len(value) == 1 else None if value else ""
