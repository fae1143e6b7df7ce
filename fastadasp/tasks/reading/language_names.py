"""What languages are called in answers."""

from fastadasp.tasks.reading.tokens import words

LANGUAGES = tuple(
    sorted(
        words(
            """
            english german spanish french italian portuguese chinese mandarin japanese korean russian arabic hindi
            dutch turkish polish swedish catalan welsh persian indonesian vietnamese thai englisch deutsch spanisch
            französisch chinesisch englische deutsche spanische französische chinesische inglés alemán español
            francés chino inglesa alemana española anglais allemand espagnol français chinois anglaise allemande
            espagnole française chinoise italiano portugués português italienisch portugiesisch japanisch englischen
            deutschen spanischen französischen deutscher englischer inglese tedesco tedesca spagnolo francese inglês
            alemão 中文 英文 英语 德文 德语 汉语 日文 日语 法语 法文 西班牙语 普通话 日本語 英語 中国語 ドイツ語
            한국어 영어 독일어 중국어
            """
        )
    )
)
"""As lead-ins name them."""

OWN_NAMES = {
    "english": "en|englisch|inglés|anglais|英文|英语|英語",
    "german": "de|deutsch|德文|德语",
    "spanish": "es|español",
    "french": "fr|français",
    "italian": "it|italiano",
    "portuguese": "pt|português",
    "chinese": "zh|中文|汉语|普通话|中国語",
    "japanese": "ja|日本語|日文|日语",
    "korean": "ko|한국어",
}
"""Languages as they call themselves and each other."""
