"""What manifests call the choices of a question and its right answer, in the forms that are in use."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from string import ascii_uppercase

from fastadasp.files.text import short, shown

_LETTERED = re.compile(r"\s*[(\[]?([A-Z])\s*[.):\]]\s*(?=\S)", re.IGNORECASE)
_ALONE = re.compile(r"\s*[(\[]?([A-Z])\s*[.):\]]?\s*", re.IGNORECASE)
_NUMBERED = re.compile(r"\s*[(\[]?(\d{1,2})\s*[.):\]]\s+(?=\S)")
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
"""Letters and signs of full width as plain ones."""
_WANTED = "must be a list of at least two texts, or a mapping from letters to texts"


class MeaningError(ValueError):
    """A field whose meaning is not plain; the message says what it may hold."""


def choice_texts(value: object) -> dict[str, str]:
    """Each choice's own key and its text, in order; keys are letters from A where the manifest gives none.

    value: a list of texts (also already lettered: "(A) red"), a mapping from letters or numbers to texts, a list of
    mappings with `label` and `text`, or a mapping with the lists `label` and `text`. Raises MeaningError.
    """
    found = _pairs(value)
    if len(found) < 2:
        raise MeaningError(f"{_WANTED}; got {shown(value)}")
    if len(found) > len(ascii_uppercase):
        raise MeaningError(f"may hold at most {len(ascii_uppercase)} texts, got {len(found)}")
    if len({key for key, _ in found}) < len(found):
        raise MeaningError(f"gives one key to several choices: {short(', '.join(key for key, _ in found))}")
    return dict(found)


def _pairs(value: object) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        labels, texts = value.get("label"), value.get("text")
        if isinstance(labels, list) and isinstance(texts, list) and len(labels) == len(texts):
            return _checked([str(label).strip() for label in labels], texts, value)
        return _checked([str(key).strip().strip("().") for key in value], list(value.values()), value)
    if not isinstance(value, list):
        return []
    if value and all(isinstance(item, Mapping) and {"label", "text"} <= item.keys() for item in value):
        return _checked([str(item["label"]).strip() for item in value], [item["text"] for item in value], value)
    pairs = _checked(list(ascii_uppercase[: len(value)]), value, value) if len(value) <= 26 else []
    if len(value) > 26:
        raise MeaningError(f"may hold at most {len(ascii_uppercase)} texts, got {len(value)}")
    return _without_letters(pairs)


def _checked(keys: Sequence[str], texts: Sequence[object], value: object) -> list[tuple[str, str]]:
    """Keys with texts; numbers are texts, too."""
    if not all(
        isinstance(text, str | int | float) and not isinstance(text, bool) and str(text).strip() for text in texts
    ):
        raise MeaningError(f"{_WANTED}; got {shown(value)}")
    return [(key, str(text).strip()) for key, text in zip(keys, texts, strict=True)]


def _without_letters(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Texts that bring their own letters from A on, or numbers from 0 or 1 on, lose them: the prompt has letters."""
    for pattern, begins in ((_LETTERED, [ascii_uppercase]), (_NUMBERED, [range(1, 27), range(26)])):
        found = [pattern.match(text.translate(_NARROW)) for _, text in pairs]
        keys = [match[1].upper() if match else "" for match in found]
        if any(keys == [str(key) for key in islice(own, len(keys))] for own in begins):
            return [
                (key, text[match.end() :]) for key, (_, text), match in zip(keys, pairs, found, strict=True) if match
            ]
    return list(pairs)


def letter_of(value: object, choices: Mapping[str, str], first: int | None) -> str:
    """The letter of the right choice.

    value: its letter ("B", "(b)", "B."), its text, both ("B. blue"), its key in the manifest, or its number, counted
    from `first`. Raises MeaningError where it is none of these, or can be two.
    """
    letters = ascii_uppercase[: len(choices)]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MeaningError(_allowed(letters, value))
    given = str(value).strip().translate(_NARROW)
    plain = [_plain(text) for text in choices.values()]
    if (isinstance(value, int) and given not in choices.values()) or (given.isdecimal() and _plain(given) not in plain):
        return _by_number(int(given), choices, first)
    if _plain(given) and plain.count(_plain(given)) == 1:
        return letters[plain.index(_plain(given))]
    if given.strip("().") in choices:
        return letters[list(choices).index(given.strip("()."))]
    if (alone := _ALONE.fullmatch(given)) and alone[1].upper() in letters:
        return alone[1].upper()
    if (both := _LETTERED.match(given)) and both[1].upper() in letters:
        place = letters.index(both[1].upper())
        if plain[place] == _plain(given[both.end() :]):
            return letters[place]
    raise MeaningError(_allowed(letters, value))


def _by_number(number: int, choices: Mapping[str, str], first: int | None) -> str:
    letters = ascii_uppercase[: len(choices)]
    if str(number) in choices:
        return letters[list(choices).index(str(number))]
    if first is None:
        raise MeaningError(
            f"is the number {number}, and the manifest does not show whether the first choice is 0 or 1: set "
            "task.first_choice, or give letters"
        )
    if not first <= number < first + len(choices):
        raise MeaningError(_allowed(letters, number) + f" (numbers from {first}: task.first_choice)")
    return letters[number - first]


def first_number(answers: Sequence[tuple[object, int]]) -> int | None:
    """From where a manifest counts its choices, if some answer shows it: 0 if one is 0, 1 if one is the last number.

    answers: each with the number of its choices.
    """
    numbers = [(int(str(value)), count) for value, count in answers if _is_number(value)]
    from_zero = any(number == 0 for number, _ in numbers)
    from_one = any(number == count for number, count in numbers)
    return None if from_zero == from_one else 0 if from_zero else 1


def _is_number(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.strip().isdecimal()
    )


def _allowed(letters: str, value: object) -> str:
    return f"must be a letter from A to {letters[-1]} or the text of one choice; got {shown(value)}"


def _plain(text: str) -> str:
    """Lower-case words without punctuation; the text itself if it holds no word."""
    return " ".join(re.findall(r"\w+(?:[.,:]\d+)*", text.translate(_NARROW).lower())) or text.strip()
