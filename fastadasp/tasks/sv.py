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
            *("spoken by the same", "un solo * hablante", "el mismo hablante", "la misma persona"),
            *(
                "una sola persona",
                "un único hablante",
                "ein sprecher",
                "nur ein sprecher",
                "eine stimme",
                "nur eine stimme",
            ),
            *("eine person", "nur eine person", "derselbe sprecher", "dieselbe person", "dieselbe stimme"),
            *(
                "一个说话人",
                "只有一个说话人",
                "一个人",
                "只有一个人",
                "同一个人",
                "同一个说话人",
                "同一说话人",
                "一位说话人",
            ),
        ],
        "no": [
            *("dialogue", "dialog", "conversation between", "i do not think so", "diálogo", "dialog zwischen"),
            *(f"{count} * {nouns}" for count in _SEVERAL for nouns in (*_SPEAKERS, *_SPEAKER)),
            *(f"{count} * {noun}" for count in ("more than one", "another", "second", "other") for noun in _SPEAKER),
            *(f"{nouns} {differ}" for nouns in _SPEAKERS for differ in ("differ", "are different", "are not the same")),
            *(
                "more than one",
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
            *("man and * woman", "woman and * man", "male and * female", "female and * male", "spoken by different"),
            *("zwei * sprecher", "mehrere * sprecher", "verschiedene * sprecher", "zwei * stimmen", "zwei * personen"),
            *("dos * hablantes", "varios * hablantes", "diferentes hablantes", "dos * personas", "dos * voces"),
            *(
                "两个说话人",
                "两个人",
                "多个说话人",
                "不同的说话人",
                "不同的人",
                "不同说话人",
                "两位说话人",
                "不止一个人",
                "不止一个说话人",
            ),
        ],
    }
