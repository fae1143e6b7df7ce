"""How models announce a transcript or a translation, as a small grammar of each language.

A lead-in is matched as a whole, from the start of the answer to its colon or to the quotation that it announces: each
word must be one of these. "The audio guide explained: turn left" has a word that no lead-in has, and stays.
"""

import re
from functools import cache

from fastadasp.tasks.reading.lead_in_words import (
    CHINESE,
    CHINESE_SAYS,
    GRAMMARS,
    JAPANESE,
    KOREAN,
    LANGUAGES,
    REMARKS,
    RUSSIAN,
    Grammar,
)

_QUOTED = "[\"\u201c\u201e'\u2018][^\"\u201c\u201d']{1,60}[\"\u201c\u201d'\u2019]"
_LANGUAGE = "|".join(LANGUAGES)
_RECORDING = "audio|recording|clip"
_REPORTED = (
    "that|what|how|why|when|where|who|whether|if|he|she|it|they|there|something|nothing|so|to|in|about|the|a|an|this"
)
"""Words after which "the speaker says" is part of a sentence."""
_FURTHER = (
    rf"(?:in\s+(?:{_LANGUAGE}),?\s+)?(?:this|that|it|the (?:sentence|text|speech|audio|phrase))\s+"
    rf"(?:means|translates?(?:\s+(?:in|into|to)\s+(?:{_LANGUAGE}))?\s+(?:to|as|into)|is translated (?:to|as|into)|"
    r"would be)",
    rf"(?:in|auf|en)\s+(?:{_LANGUAGE})",
    r"(?:sure|certainly|of course|okay)(?: thing)?[,.!]? here you (?:go|are)",
    r"(?:what )?i (?:hear|heard)(?: is)?(?: the following)?",
    r"it sounds like",
    rf"translated (?:in|into|to) (?:{_LANGUAGE})",
    r"the contents? (?:is|are|reads)",
    rf"(?:here(?: is|'s)|this is) what (?:the (?:speaker|person|{_RECORDING})|was|is|i) "
    rf"(?:says?|said|is saying|hear|heard|being said)(?: in the (?:{_RECORDING}))?",
    rf"(?:the )?(?:(?:male|female) )?speaker(?: in the (?:{_RECORDING}))? (?:says|is saying)(?: the following)?",
)
_ORDERED = (
    r"in der (?:aufnahme|audiodatei) sagt (?:eine?|die|der) (?:frau|mann|person|stimme|sprecher|sprecherin)|"
    r"it says|(?:the )?(?:user|you) said|you said|音声の内容は"
)
"""Lead-ins before a quotation whose words stand in an order of their own."""
_DESCRIBED = (
    rf"(?:the )?(?:speech|voice|sound|{_RECORDING}) is (?:that )?of an? (?:\w+ )?"
    r"(?:man|woman|person|speaker|boy|girl|child|male|female)(?: (?:speaking|talking|who speaks))?"
    r"(?:,? in (?:an? |the )?[\w -]{1,40})?,? (?:saying|and says|who says)"
)
"""How Qwen-Audio-Chat describes a voice before it quotes what is said."""
FURTHER = re.compile("|".join(_FURTHER), re.IGNORECASE)
"""Lead-ins of other forms, which must end in a colon."""
LABEL = re.compile(
    r"(?:Output|Response|Answer|Result|Text|Speech|Audio|ASR|Final (?:answer|transcription|transcript|translation))"
)
"""Headings that answer templates use, with their capital."""
PLAIN_SAYING = re.compile(
    rf"The (?:{_RECORDING}|speaker|voice|speech)(?: in the (?:{_RECORDING}))? says (?!(?:{_REPORTED})\b)"
)
"""Lead-ins without a sign: in the present tense, with a capital, and not before what can be reported or named."""
REMARK = re.compile("|".join(REMARKS), re.IGNORECASE)


@cache
def announcing() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Lead-ins that end in a colon, and those that a quotation follows, with or without a colon."""
    nouns, sayings = [], []
    for grammar in GRAMMARS:
        noun, saying = _patterns(grammar)
        nouns.append(noun)
        sayings.append(saying)
    unspaced = [CHINESE, JAPANESE, KOREAN, RUSSIAN]
    with_colon = "|".join((*nouns, *unspaced))
    with_quotation = "|".join((*nouns, *sayings, *unspaced, CHINESE_SAYS, _DESCRIBED, _ORDERED))
    return re.compile(rf"(?:{with_colon})", re.IGNORECASE), re.compile(rf"(?:{with_quotation})", re.IGNORECASE)


def _patterns(grammar: Grammar) -> tuple[str, str]:
    """What may stand before a colon alone, and what must be followed by a quotation."""
    opening = rf"(?:(?:{grammar.agreeing})[,.!:;]*\s+)?"
    before = rf"(?:(?:{grammar.determiner})(?:\s+|(?<=')))?(?:(?:{grammar.quality}|{_LANGUAGE})\s+)*"
    word = rf"(?:{grammar.of}|{grammar.speech}|{_LANGUAGE}|{_QUOTED})"
    after = rf"(?:\s+(?:{word}(?:\s+|(?<=')))*{word})?"
    qualified = (
        rf"(?:{grammar.determiner})?\s*(?:(?:{grammar.quality}|{_LANGUAGE})\s+)+(?:{grammar.content}){after}"
        rf"|(?:{grammar.determiner})?\s*(?:{grammar.content})\s+(?:{word}\s+)*(?:{grammar.speech}|{_LANGUAGE})"
    )
    named = rf"(?:{before}(?:{grammar.result})(?:\s*[(\[][\w -]{{1,20}}[)\]])?{after}|{qualified})"
    be = rf"(?:\s+(?:{grammar.be}))?(?:\s+(?:{grammar.as_follows}))?"
    heard = rf"(?:(?:{grammar.determiner}|this|that)(?:\s+|(?<=')))?(?:{grammar.speech})(?:\s+(?:{word}\s+)*{word})?"
    spoken = rf"(?:{heard}|{grammar.person})\s+(?:{grammar.say})(?:\s+(?:{grammar.as_follows}))?"
    noun = rf"{opening}(?:(?:{grammar.here})\s+)?{named}{be}"
    heard_says = rf"{opening}{heard}\s+(?:{grammar.say})(?:\s+(?:{grammar.as_follows}))?"
    person = (
        rf"{opening}{grammar.person}(?:\s+(?:{word}\s+)*{word})?\s+(?:{grammar.say})(?:\s+(?:{grammar.as_follows}))?"
    )
    text_is = rf"{opening}(?:{grammar.determiner})\s+(?:{grammar.content})\s+(?:{grammar.be})"
    return rf"{noun}|{heard_says}", rf"{opening}{spoken}|{person}|{text_is}"
