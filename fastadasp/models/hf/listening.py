"""How a processor takes audio in a chat: found by trying it.

A chat template says in its own way where a recording stands, and a processor puts as many audio tokens there as the
recording needs. So a short and a longer sound are put into the same prompt: the token whose number grows is the audio
token, whatever the checkpoint calls it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastadasp.files.text import FileError, short

SECONDS = ((1.0, 4.0), (1.0, 61.0))
"""Lengths of the two sounds that are tried; the second pair is for processors that fill whole windows of 30 s."""
_LEAST_GROWTH = 2
"""Tokens that each second more must bring."""

Content = str | list[Mapping[str, str]]


@dataclass(frozen=True)
class Listening:
    """What was found."""

    form: str
    """How the turn with the recording is written, a key of FORMS."""
    token: str
    """The audio token's text, which stands in the prompt for a recording."""
    token_id: int
    per_second: float
    """Audio tokens for a second of audio."""


def plain_parts(recordings: int, text: str, token: str, first: bool) -> Content:
    """Parts of a turn, as most templates take them."""
    return _ordered([{"type": "audio"}] * recordings, text, first)


def named_parts(recordings: int, text: str, token: str, first: bool) -> Content:
    """Parts with a source, for templates that look for that."""
    return _ordered([{"type": "audio", "audio": "recording", "audio_url": "recording"}] * recordings, text, first)


def written(recordings: int, text: str, token: str, first: bool) -> Content:
    """One text that holds the audio tokens, for templates whose turns are texts."""
    return token * recordings + text if first else text + token * recordings


def _ordered(audio: list[dict[str, str]], text: str, first: bool) -> Content:
    said = [{"type": "text", "text": text}] if text else []
    return [*audio, *said] if first else [*said, *audio]


FORMS: Mapping[str, Callable[[int, str, str, bool], Content]] = {
    "parts": plain_parts,
    "named parts": named_parts,
    "written": written,
}


TOKENISED = "tokenised"
"""The form in which the processor itself reads turns with audio into ids, for those that take no text with marks."""


def find_listening(
    ids_of: Callable[[str, str, Any], Sequence[int]], rate: int, tokenizer: Any, known: str
) -> Listening:
    """Try all forms of a turn until one lets audio tokens grow with the audio; FileError with what was tried.

    ids_of: from a form, the audio token's text and a sound, the token ids of a prompt with this sound.
    known: the audio token's text, where the user, the processor or the configuration says it; else empty.
    """
    tried: list[str] = []
    for form in (*FORMS, TOKENISED):
        if form == "written" and not known:
            continue
        for seconds in SECONDS:
            try:
                few, many = (Counter(ids_of(form, known, _sound(length, rate))) for length in seconds)
                token_id, growth = _grown(few, many, *seconds)
            except _NoGrowthError as error:
                tried.append(f"as {form}: {error}")
            except Exception as error:  # a template and a processor are programs of other people
                tried.append(f"as {form}: {type(error).__name__}: {short(error, 200)}")
                break
            else:
                return Listening(form, str(tokenizer.convert_ids_to_tokens(token_id)), token_id, growth)
    raise FileError("no way was found to put audio into its prompts\n" + "\n".join(tried))


def _sound(seconds: float, rate: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Soft noise: some processors leave silence out."""
    return (0.01 * np.random.default_rng(0).standard_normal(round(seconds * rate))).astype(np.float32)


class _NoGrowthError(FileError):
    """No token, or more than one, grows with the audio."""


def _grown(few: Counter[int], many: Counter[int], short_s: float, long_s: float) -> tuple[int, float]:
    """The token whose number grows with the audio, and by how many a second."""
    growth = Counter({token: (many[token] - few[token]) / (long_s - short_s) for token in many})
    (token, rate), *others = growth.most_common(2)
    if rate < _LEAST_GROWTH:
        raise _NoGrowthError(
            f"its processor writes {sum(few.values())} tokens for {short_s:g} s of audio and {sum(many.values())} for "
            f"{long_s:g} s, so none stands for a stretch of audio"
        )
    if others and others[0][1] > rate / 2:
        raise _NoGrowthError(f"tokens {token} and {others[0][0]} both grow with the audio")
    return token, rate
