"""Quotation marks around the whole of a text, and what names the text after them."""

import re

from fastadasp.tasks.reading.lead_ins import names_what_precedes

QUOTES = {
    '"': '"',
    "'": "'",
    "\u201c": "\u201d\u201c",
    "\u201d": "\u201d",
    "\u2019": "\u2019",
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
_CLOSING = "".join(sorted(set("".join(QUOTES.values()))))
_APOSTROPHES = "'\u2018\u2019\u201a"
_ELIDED = re.compile(r"['\u2018\u2019](?:tis|twas|twere|cause|em|til|round|n|bout|twill|ere|\d+s)\b", re.IGNORECASE)
_END = re.compile(r"(?:\u3067\u3059|\u3068\u8a00\u3063\u3066\u3044\u307e\u3059)?[.!\u3002]?\s*\Z")
"""What may follow the closing mark: a full stop, and Japanese for "is" and "is saying"."""
_APPENDED = re.compile(
    rf"(?<=[{re.escape(_CLOSING)}.!?\u3002])[\s,]*((?:[^{re.escape(_CLOSING)}\n]|(?<=\w)['\u2019](?=\w)){{3,60}})\Z"
)


def without_quotation_marks(text: str) -> str:
    """No quotation marks around all of the text; quotations within it stay."""
    text = without_name(text.strip())
    closing = QUOTES.get(text[:1], "")
    end = _END.search(text)
    inner = text[1 : end.start()] if end else ""
    if not closing or not inner or inner[-1] not in closing or _ELIDED.match(text):
        return text
    inner = inner[:-1]
    marks = closing + text[0] if text[0] not in _APOSTROPHES else ""
    if any(mark in inner for mark in marks) or (not marks and re.search(r"(?<!\w)['\u2018]|['\u2019](?!\w)", inner)):
        return text
    return inner.strip()


def without_name(text: str) -> str:
    """No name of its kind or language after a quotation: '"Es ist sp\u00e4t" in German', '"..." is the translation.'"""
    found = _APPENDED.search(text)
    if not found or not names_what_precedes(found[1]):
        return text
    quotation = text[: found.start()].strip()
    in_brackets = found[1].startswith("(")
    return quotation if in_brackets or (text[:1] in QUOTES and quotation[-1] in QUOTES[text[0]]) else text
