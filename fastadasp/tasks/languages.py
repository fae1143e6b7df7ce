"""Languages as far as scoring must know them: whether words are divided by spaces, and how BLEU divides them."""

from dataclasses import dataclass

from fastadasp.tasks.reading.tokens import words


@dataclass(frozen=True)
class Language:
    """What scoring must know of a language."""

    name: str
    spaced: bool = True
    """Whether spaces divide words; else transcripts are compared character by character."""
    bleu: str = "13a"
    """sacreBLEU's tokeniser for it."""
    english: bool = False


_ENGLISH = Language("English", english=True)
_CHINESE = Language("Chinese", spaced=False, bleu="zh")
_JAPANESE = Language("Japanese", spaced=False, bleu="ja-mecab")
_KOREAN = Language("Korean", bleu="ko-mecab")
_UNSPACED = {
    "Thai": "th tha",
    "Lao": "lo lao",
    "Khmer": "km khm cambodian",
    "Burmese": "my mya myanmar",
    "Tibetan": "bo bod",
}

_KNOWN = {
    **dict.fromkeys(words("english en eng american british"), _ENGLISH),
    **dict.fromkeys(words("chinese zh zho chi cmn mandarin yue cantonese 中文 汉语"), _CHINESE),
    **dict.fromkeys(words("japanese ja jpn 日本語"), _JAPANESE),
    **dict.fromkeys(words("korean ko kor 한국어"), _KOREAN),
    **{
        code: Language(name, spaced=False, bleu="char")
        for name, codes in _UNSPACED.items()
        for code in (name.lower(), *codes.split())
    },
}
_UNSPACED_SCRIPTS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x109F),  # Tibetan, Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x9FFF),  # Chinese characters
    (0x20000, 0x3FFFF),
)


def language_of(name: str) -> Language:
    """The language of a name or code ("Chinese", "zh", "zh-CN", "Mandarin Chinese"); unknown ones have spaces."""
    plain = name.strip().lower()
    for word in (plain, *plain.replace("_", "-").replace("(", " ").replace("-", " ").split()):
        if word in _KNOWN:
            return _KNOWN[word]
    return Language(name.strip())


def is_unspaced(text: str) -> bool:
    """Whether `text` is written without spaces between words: long runs, most of them in such a script."""
    letters = [ord(character) for character in text if character.isalnum()]
    unspaced = sum(any(first <= letter <= last for first, last in _UNSPACED_SCRIPTS) for letter in letters)
    return unspaced > len(letters) / 2 and unspaced > 4 * len(text.split())
