"""The transcript or translation inside an answer: tags, lead-ins, remarks and quotation marks around it are cut.

Each rule is a function from text to text, and does nothing to a text that is not wrapped in what it cuts. What the
reference itself begins or ends with is never cut from an answer: the sentence is really so. The reference stays as it
is, and an answer that equals it is never changed.
"""

import re
from collections.abc import Callable

from fastadasp.tasks.reading.cleaning import without_thoughts
from fastadasp.tasks.reading.containers import without_container, without_tags
from fastadasp.tasks.reading.language_names import LANGUAGES
from fastadasp.tasks.reading.lead_ins import PLAIN_SAYING, is_lead_in, is_polite
from fastadasp.tasks.reading.quotation_marks import QUOTES, without_name, without_quotation_marks
from fastadasp.tasks.reading.remarks import REMARK
from fastadasp.tasks.reading.two_texts import one_of_two, second_of_two, without_language

_LONGEST = 120
"""Characters of the longest lead-in."""
_LEAD_INS = 3
"""As many may stand one after another: "Sure! Here is the transcript. The speaker says: ..."."""
_SIGN = re.compile(r"\s*[:\uff1a]\s*|\s*\n\s*|\s+[-\u2013\u2014]\s+")
"""What ends a lead-in; a dash does so after a capital at the start."""
_MARK = re.compile(f"[{''.join(QUOTES)}]")
_DECORATED = re.compile(r"\A\s*(?:#+\s*|>\s*)?(\*{1,3}|_{1,2}|\[|\()([^*_\n\[\]()]{1,80}?)(:?)(?:\1|\]|\))(\s*:?)")
"""A label in bold type or brackets, with a colon inside or after it: "**Transcript:**", "[Transcript]"."""
_OTHER_LANGUAGE = re.compile(rf"\w, in (?:{'|'.join(LANGUAGES)}): ", re.IGNORECASE)
"""A second language in the same sentence: "In French: merde, in English: break a leg" is a sentence of its own."""
_PRONOUN_SAYS = re.compile(r"S?[Hh]e says:")
"""Announces a quotation that is all of the rest; without the colon a story may say so."""
_HEADING = "#*_ \t"
_BLOCK = re.compile(r"^>[ \t]?", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\"'\u201d\u2019\u300d\u00bb)])\s+|\n+")
_INVISIBLE = "\u200b\ufeff\u2060"


def unwrap(text: str, reference: str = "", kind: str = "transcript", language: str = "") -> str:
    """The `kind` (transcript or translation) inside a chatty answer; `text` itself, cleaned, when nothing is around it.

    language: the one that was asked for, as the task names it; "German: ..." is a lead-in only if that is German.

    >>> unwrap("The original content of this audio is: 'good morning'")
    'good morning'
    """
    rules: list[Callable[[str], str]] = [
        lambda given: given.strip().strip(_INVISIBLE),
        without_thoughts,
        without_tags,
        without_container,
        lambda given: one_of_two(given, kind),
        lambda given: second_of_two(given, kind),
        lambda given: without_language(given, language),
        _without_saying,
        *[_without_lead_in] * _LEAD_INS,
        _without_last_paragraph,
        without_container,
        without_quotation_marks,
        without_container,
    ]
    for rule in rules:
        text = _unless_said(rule, text, reference)
    return _plain(text)


def _unless_said(rule: Callable[[str], str], text: str, reference: str) -> str:
    """The text after a rule; unchanged if the reference itself begins or ends with what the rule cuts."""
    cut = rule(text)
    place = text.find(cut) if cut else len(text)
    around = (_letters(text[:place]), _letters(text[place + len(cut) :])) if place >= 0 else ("", "")
    if around == ("", ""):
        return cut if _plain(rule(reference)) == _plain(reference) else text
    (before, after), said, left = around, _letters(reference), _letters(cut)
    begins = before and said.startswith(before) and not left.startswith(before)
    ends = after and said.endswith(after) and not left.endswith(after)
    return text if begins or ends or said == _letters(text) else cut


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _plain(text: str) -> str:
    return " ".join(text.split())


def _without_saying(text: str) -> str:
    """No "The audio says" that the transcript follows without a sign."""
    found = PLAIN_SAYING.match(text)
    return text[found.end() :] if found and _without_lead_in(text) == text else text


def _without_lead_in(text: str) -> str:
    """No announcement, and no remark after what is announced."""
    plain = _DECORATED.sub(_undecorated, text)
    for sign in _SIGN.finditer(plain, 0, _LONGEST):
        if _OTHER_LANGUAGE.search(plain, sign.end()):
            continue
        if _announces(plain[: sign.start()].strip(_HEADING), sign[0]):
            return without_container(_BLOCK.sub("", _without_remark(plain[sign.end() :].strip())))
    for mark in _MARK.finditer(plain, 0, _LONGEST):
        head, rest = plain[: mark.start()].rstrip(), without_name(_without_remark(plain[mark.start() :].strip()))
        announced = (
            is_lead_in(head.rstrip(" ,:.!\uff1a"), quotation=True)
            or (head[-1:] in (*"!.:",) and is_polite(head))
            or _PRONOUN_SAYS.fullmatch(head)
        )
        if announced and without_quotation_marks(rest) != rest:
            return rest
    return text


def _announces(head: str, sign: str) -> bool:
    """Whether the words before a colon, a line's end or a dash are a lead-in; before a paragraph, "Sure!" is one."""
    dash = sign.strip() and sign.strip() in "-\u2013\u2014"
    return (is_lead_in(head) and (not dash or head[0].isupper())) or ("\n\n" in sign and is_polite(head))


def _undecorated(label: re.Match[str]) -> str:
    """ "Transcript:" for "**Transcript**" or "[Transcript]", if that is a lead-in."""
    return f"{label[2]}: " if is_lead_in(label[2].strip()) else label[0]


def _without_remark(text: str) -> str:
    """No remark in a last sentence or paragraph of its own."""
    for found in _SENTENCE_END.finditer(text):
        if REMARK.match(text, found.end()):
            return text[: found.start()].strip()
    return text


def _without_last_paragraph(text: str) -> str:
    """No remark in a last paragraph of its own, and nothing that speaks about a first paragraph in quotation marks."""
    for found in re.finditer(r"\n+\s*", text):
        first, rest = text[: found.start()].strip(), text[found.end() :]
        quoted = "\n\n" in found[0] and without_quotation_marks(first) != first and not _MARK.search(rest)
        if first and (quoted or REMARK.match(rest) or is_lead_in(rest.strip(" .!\n"))):
            return first
    return text
