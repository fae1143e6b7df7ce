"""Emotion recognition: which emotion does the speaker's voice carry?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastadasp.tasks.classification import Classification


@dataclass(frozen=True)
class ER(Classification):
    """IEMOCAP's four classes, `excited` counted as happy, as in SUPERB's emotion recognition."""

    instruction: str = "What is the speaker's emotion? Answer {labels}."

    name = "er"
    own_labels: ClassVar[Mapping[str, Sequence[str]]] = {
        "happy": ["happiness", "excited", "excitement", "joy", "joyful", "cheerful", "delighted", "pleased"],
        "sad": ["sadness", "unhappy", "sorrow", "sorrowful", "depressed", "melancholy", "gloomy"],
        "angry": ["anger", "mad", "furious", "annoyed", "irritated", "frustrated"],
        "neutral": ["calm", "no emotion", "unemotional", "emotionless", "matter-of-fact"],
    }
