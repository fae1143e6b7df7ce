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
    place = 2
    own_labels: ClassVar[Mapping[str, Sequence[str]]] = {
        "happy": ["happiness", "excited", "excitement", "joy", "joyful", "cheerful", "delighted", "pleased"],
        "sad": ["sadness", "unhappy", "sorrow", "sorrowful", "depressed", "melancholy", "gloomy"],
        "angry": ["anger", "mad", "furious", "annoyed", "irritated", "frustrated"],
        "neutral": ["calm", "no emotion", "unemotional", "emotionless", "matter-of-fact"],
    }
    own_codes: ClassVar[Mapping[str, str]] = {
        **{"hap": "happy", "exc": "excited", "sad": "sad", "ang": "angry", "fru": "frustrated", "neu": "neutral"},
    }
    """Of IEMOCAP and CREMA-D; IEMOCAP's other classes (sur, fea, dis, oth, xxx) belong to none of the four."""
    own_wordings: ClassVar[Mapping[str, Sequence[str]]] = {
        "happy": [
            *(
                "happily",
                "joyfully",
                "joyous",
                "cheerfully",
                "cheerfulness",
                "cheery",
                "elated",
                "ecstatic",
                "thrilled",
            ),
            *("glad", "delight", "excitedly", "upbeat", "overjoyed"),
            *("glücklich", "fröhlich", "freudig", "freude", "begeistert", "heiter", "glück"),
            *("feliz", "felices", "felicidad", "alegre", "alegres", "alegría", "contento", "emocionado"),
            *("heureux", "heureuse", "joie", "joyeux", "joyeuse"),
            *("高兴", "开心", "快乐", "愉快", "兴奋", "喜悦", "幸福"),
        ],
        "sad": [
            *(
                "unhappiness",
                "unhappily",
                "sombre",
                "somber",
                "mournful",
                "grief",
                "tearful",
                "depression",
                "despondent",
            ),
            *("traurig", "traurigkeit", "trauer", "unglücklich", "niedergeschlagen", "betrübt"),
            *("triste", "tristeza", "infeliz", "deprimido", "tristesse"),
            *("悲伤", "伤心", "难过", "悲哀", "忧伤", "沮丧", "悲痛"),
        ],
        "angry": [
            *("angrily", "fury", "rage", "enraged", "outraged", "irate", "annoyance", "irritation", "frustration"),
            *("wütend", "wut", "zornig", "zorn", "ärger", "ärgerlich", "verärgert", "sauer", "böse", "frustriert"),
            *("enojado", "enojo", "enfadado", "enfado", "furioso", "ira", "molesto", "colère", "fâché", "énervé"),
            *("生气", "愤怒", "气愤", "恼怒", "恼火", "发怒"),
        ],
        "neutral": [
            *("neutrality", "calmness", "calmly", "neutrally", "no particular emotion", "no strong emotion"),
            *("no clear emotion", "no specific emotion", "without emotion"),
            *("ruhig", "sachlich", "gelassen", "emotionslos", "tranquilo", "calmado", "sereno", "neutro", "calme"),
            *("中性", "平静", "冷静", "中立", "没有情绪", "没有感情"),
        ],
    }
