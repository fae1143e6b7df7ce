"""Reading answers out of chatty model output, shared by the tasks whose answer is a text."""

import re

_TAG = re.compile(r"<\|[^|<>]*\|>")
_META = r"(?:speech|audio|recording|clip|transcri\w+|translat\w+|content|speaker says)"
_OPEN, _CLOSE = "[\"'\u201c\u2018]", "[\"'\u201d\u2019]"
# "The speech says: '...'", "Sure, here is the translation: ...": how instruction-tuned models wrap what was asked for.
_LEAD_IN = rf"^(?:sure|certainly|okay|here|the|this)\b[^\"\u201c\u2018:]{{0,80}}?\b{_META}\b[^\"\u201c\u2018:]{{0,60}}?"
_WRAPPINGS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_LEAD_IN}[\s:]\s*{_OPEN}(?P<answer>.+){_CLOSE}[.!]?$",
        rf"{_LEAD_IN}:\s*(?P<answer>.+)$",
        '^["\u201c](?P<answer>[^"\u201c\u201d]+)["\u201d][.!]?$',
    )
]


def clean_text(text: str) -> str:
    """`text` without `<|...|>` tags and runs of white space."""
    return " ".join(_TAG.sub(" ", text).split())


def unwrap(text: str) -> str:
    """The transcript or translation inside a chatty answer; `text` itself, cleaned, when it has no such wrapping.

    >>> unwrap("The original content of this audio is: 'good morning'")
    'good morning'
    """
    text = clean_text(text)
    for wrapping in _WRAPPINGS:
        if match := wrapping.match(text):
            return match["answer"].strip()
    return text
