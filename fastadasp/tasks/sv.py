"""Speaker verification as a question about one recording: does it hold one speaker or several?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastadasp.tasks.classification import Classification

_SPEAKER = ("speaker", "person", "voice", "talker", "individual", "man", "woman")
_SPEAKERS = ("speakers", "people", "persons", "voices", "talkers", "individuals", "men", "women")
_ONE = ("one", "1", "single", "same", "only one", "just one", "only a single", "one and the same", "the only")
_SEVERAL = (
    *("two", "three", "four", "five", "2", "3", "4", "5", "several", "multiple", "many", "different", "various"),
    *("distinct", "separate", "at least two", "a couple of", "more than two", "more than three", "more than 2"),
)
_PAIRS = (("man", "woman"), ("woman", "man"), ("male", "female"), ("female", "male"))
_PLACES, _OTHER = ("second", "other"), ("", "one ", "speaker ", "voice ", "person ")
_GERMAN = ("sprecher", "sprecherin", "stimme", "person", "mensch")
_GERMANS = ("stimmen", "personen", "leute", "menschen")
_ONE_GERMAN = ("ein", "eine", "einen", "einem", "einer", "nur ein", "nur eine", "nur einen", "nur einer")
_SEVERAL_GERMAN = (
    *("mehr als ein", "mehr als eine", "mehr als einen", "zwei", "drei", "mehrere", "verschiedene", "unterschiedliche"),
    *("zweite", "zweiten", "zweiter", "weitere", "weiteren", "weiterer", "andere", "anderen", "anderer"),
)
_SPANISH, _SPANIARDS = ("hablante", "persona", "voz"), ("hablantes", "personas", "voces")
_ONE_SPANISH = ("un solo", "una sola", "un único", "una única", "solo un", "solo una")
_SEVERAL_SPANISH = (
    *("más de un", "más de una", "dos", "tres", "varios", "varias", "diferentes", "distintos", "distintas"),
    *("segundo", "segunda", "otro", "otra"),
)
_CHINESE = ("人", "说话人", "说话者", "声音")
_ONE_CHINESE = ("一个", "一位", "只有一个", "只有一位", "同一个", "同一位", "同一", "一种", "只有一种")
_SEVERAL_CHINESE = (
    *("两个", "两位", "多个", "多位", "三个", "不同的", "不同", "不止一个", "不止一位", "第二个", "其他", "其他的"),
    *("两个不同的", "两种", "两种不同的", "多种", "另一个", "另外一个"),
)


@dataclass(frozen=True)
class SV(Classification):
    """WavLLM's form of speaker verification: two utterances in one recording, answered with yes or no."""

    instruction: str = "Is there only one speaker in the audio?"

    name = "sv"
    place = 4
    own_labels: ClassVar[Mapping[str, Sequence[str]]] = {
        "yes": ["only one speaker", "one speaker", "same speaker"],
        "no": ["two speakers", "more than one speaker", "different speakers"],
    }
    own_wordings: ClassVar[Mapping[str, Sequence[str]]] = {
        "yes": [
            *(
                "monologue",
                "monolog",
                "monólogo",
                "nobody else",
                "not hear anyone else",
                "not hear anybody else",
                "no one else",
                "no difference between the voices",
            ),
            *(
                "absolutely.",
                "i think so.",
                "exactly.",
                "no hay más de un",
                "never more than a single",
                "not more than one",
            ),
            *(f"{count} * {noun}" for count in _ONE for noun in _SPEAKER),
            *(f"{nouns} are the same" for nouns in (*_SPEAKERS, "utterances", "clips", "segments", "recordings")),
            *(f"{noun} is the same" for noun in _SPEAKER),
            *(f"{none} more than one {noun}" for none in ("no", "not") for noun in _SPEAKER),
            *(
                "only one",
                "just one",
                "one.",
                "1.",
                "or one",
                "same.",
                "the same.",
                "are the same",
                "sound the same",
                "not different",
                "do not differ",
                "identical",
            ),
            *("spoken by the same", "mismo hablante", "la misma persona", "derselbe sprecher", "dieselbe person"),
            *("dieselbe stimme", "la misma voz"),
            *(f"{count} * {noun}" for count in _ONE_GERMAN for noun in _GERMAN),
            *(f"{count} * {noun}" for count in _ONE_SPANISH for noun in _SPANISH),
            *(f"{count}{noun}" for count in _ONE_CHINESE for noun in _CHINESE),
        ],
        "no": [
            *("dialogue", "dialog", "conversation between", "i do not think so", "diálogo", "dialog zwischen"),
            *(f"{count} * {nouns}" for count in _SEVERAL for nouns in (*_SPEAKERS, *_SPEAKER)),
            *(f"{count} * {noun}" for count in ("more than one", "another", "second", "other") for noun in _SPEAKER),
            *(f"{nouns} {differ}" for nouns in _SPEAKERS for differ in ("differ", "are different", "are not the same")),
            *(
                "more than one",
                "more than a single",
                "more than 1",
                "two.",
                "three.",
                "or two",
                "different.",
                "several.",
                "multiple.",
                "2.",
                "3.",
                "are different",
                "sound different",
            ),
            *(f"{one} and * {other}" for one, other in _PAIRS),
            *(f"{one} and {place} {noun}is {other}" for one, other in _PAIRS for place in _PLACES for noun in _OTHER),
            "spoken by different",
            *(f"{count} * {noun}" for count in _SEVERAL_GERMAN for noun in (*_GERMAN, *_GERMANS)),
            *(f"{count} * {noun}" for count in _SEVERAL_SPANISH for noun in (*_SPANISH, *_SPANIARDS)),
            *(f"{count}{noun}" for count in _SEVERAL_CHINESE for noun in _CHINESE),
            *("personas distintas", "personas diferentes", "voces distintas", "voces diferentes", "别人"),
        ],
    }
