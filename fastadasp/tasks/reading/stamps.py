"""Time stamps inside a transcript, of models and of references: kept as they are, and no words."""

import re
from collections.abc import Callable

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
_SECONDS = r"\d{1,5}[.,]\d{1,3}\s?s?|\d{1,5}\s?s"
_TIME = rf"(?:{_CLOCK}|{_SECONDS})"
_BETWEEN = r"\s*(?:-+>?|\u2013|\u2192|,|to)\s*"
STAMP = re.compile(
    r"<\|\d+(?:\.\d+)?\|>"  # Whisper's and Qwen's
    rf"|<{_TIME}(?:{_BETWEEN}{_TIME})?>"
    rf"|\[{_TIME}(?:{_BETWEEN}{_TIME})?\]"
    rf"|\({_TIME}{_BETWEEN}{_TIME}\)"
    rf"|(?<!\S){_CLOCK}\s*(?:-+>|\u2192)\s*{_CLOCK}(?!\S)"  # subtitles
)
"""One time stamp: bracketed, or a range as in subtitles. A clock time among words ("at 10:30") is none."""
_OPEN, _CLOSE = "\ue000", "\ue001"


def without_stamps(text: str) -> str:
    """`text` with a space for each time stamp.

    >>> without_stamps("<|0.00|> at 10:30<|2.10|>").strip()
    'at 10:30'
    """
    return STAMP.sub(" ", text)


def keeping_stamps(text: str, read: Callable[[str], str]) -> str:
    """What `read` makes of `text`, in which each time stamp stays word for word where it stands.

    Meanwhile each is a sign of the private use area, which means nothing to any rule.
    """
    stamps: list[str] = []

    def hide(match: re.Match[str]) -> str:
        stamps.append(match[0])
        return f" {_OPEN}{len(stamps) - 1}{_CLOSE} "

    plain = text.replace(_OPEN, "").replace(_CLOSE, "")
    found = read(STAMP.sub(hide, plain))
    return re.sub(f"{_OPEN}(\\d+){_CLOSE}", lambda match: stamps[int(match[1])], found)
