"""Synthetic prosody: four ways of saying the same neutral sentence, told apart by nothing but the voice.

This is not human emotion. The four styles exaggerate what descriptive phonetics reports of acted speech (Scherer 2003,
table 1): happy is quick, high and lively; angry quick, pressed (a flat spectrum), sharply stressed and clipped; sad
slow, low, monotonous, dull and halting. Rate, pitch level and span, spectral tilt, energy and pauses are drawn anew
within each style.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter1d

from .augment import Rng, filtered
from .voices import RATE, Audio, Prosody, Voice, speak

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """Ranges that one utterance's prosody is drawn from."""

    rate: Range
    pitch: Range
    span: Range
    tilt: Range
    """dB per octave above 500 Hz, on top of the voice's own."""
    dynamics: Range
    """Exponent on the energy contour: above 1 stressed syllables stand out, below 1 they level off."""
    fall: Range
    """dB by which the utterance gets softer from start to end."""
    pauses: Range
    """Seconds of each pause put between words."""
    words: int
    """About one pause for so many words; 0 for none."""


STYLES = {
    "happy": Style((1.08, 1.22), (1.35, 1.6), (1.9, 2.5), (0.5, 1.5), (1.0, 1.2), (0.0, 1.0), (0.0, 0.0), 0),
    "sad": Style((0.66, 0.8), (0.8, 0.92), (0.3, 0.55), (-4.0, -2.5), (0.6, 0.8), (6.0, 10.0), (0.15, 0.4), 4),
    "angry": Style((1.15, 1.35), (0.95, 1.08), (0.7, 0.95), (4.5, 6.5), (1.6, 2.1), (-2.0, 0.0), (0.07, 0.12), 2),
    "neutral": Style((0.93, 1.05), (0.96, 1.04), (0.8, 1.05), (-0.5, 0.5), (0.95, 1.05), (0.0, 2.0), (0.0, 0.0), 0),
}
MARGIN = 0.02
"""Seconds of cross-fade around an inserted pause."""


def say(text: str, voice: Voice, emotion: str, rng: Rng) -> Audio:
    """The sentence in one of the styles, 16 kHz."""
    style = STYLES[emotion]
    ranges = (style.rate, style.pitch, style.span, style.tilt, style.dynamics, style.fall, style.pauses)
    rate, pitch, span, tilt, power, fall, pause = (float(rng.uniform(*r)) for r in ranges)
    seed = int(rng.integers(2**31))
    if voice.engine == "hibari":
        x = speak(text, voice, Prosody(rate, pitch, span), seed)
    else:
        x = repitch(speak(text, voice, Prosody(rate), seed), pitch, span)
    x = shape_energy(x, power, fall)
    if style.words:
        x = add_pauses(x, pause, max(1, len(text.split()) // style.words))
    return tilted(x, tilt)


def repitch(x: Audio, pitch: float, span: float) -> Audio:
    """Scale the mean and the span of log pitch with the WORLD vocoder."""
    import pyworld

    wave = x.astype(np.float64)
    f0, times = pyworld.dio(wave, RATE)
    f0 = pyworld.stonemask(wave, f0, times, RATE)
    envelope, noise = pyworld.cheaptrick(wave, f0, times, RATE), pyworld.d4c(wave, f0, times, RATE)
    voiced = f0 > 0
    if voiced.any():
        mean = np.exp(np.log(f0[voiced]).mean())
        f0[voiced] = mean * pitch * (f0[voiced] / mean) ** span
    return np.asarray(pyworld.synthesize(f0, envelope, noise, RATE), dtype=np.float32)


def _smooth(x: Audio, seconds: float) -> Audio:
    """Twice a moving average: a triangular window of about `seconds`."""
    size = max(1, int(seconds * RATE / 2))
    return np.maximum(uniform_filter1d(uniform_filter1d(x, size), size), 0.0)


def shape_energy(x: Audio, power: float, fall: float) -> Audio:
    """Raise the smoothed energy contour to `power` and let the level fall by `fall` dB over the clip."""
    contour = np.sqrt(_smooth(np.square(x), 0.12)) + 1e-4
    gain = (contour / contour.max()) ** (power - 1)
    slope = 10.0 ** (-fall / 20.0 * np.linspace(0.0, 1.0, len(x)))
    return (x * np.minimum(gain, 20.0) * slope).astype(np.float32)


def add_pauses(x: Audio, seconds: float, count: int) -> Audio:
    """Insert silence at the quietest places inside the clip, which are mostly between words."""
    contour = _smooth(np.square(x), 0.05)
    free = np.zeros(len(x), bool)
    free[int(0.15 * len(x)) : int(0.85 * len(x))] = True
    places = []
    for _ in range(count):
        if not free.any():
            break
        place = int(np.where(free, contour, np.inf).argmin())
        places.append(place)
        free[max(0, place - RATE // 5) : place + RATE // 5] = False
    fade = np.linspace(1.0, 0.0, int(MARGIN * RATE), dtype=np.float32)
    pieces = np.split(x, sorted(places))
    for before, after in pairwise(pieces):
        before[-len(fade) :] *= fade[-len(before) :]
        after[: len(fade)] *= fade[::-1][: len(after)]
    silence = np.zeros(int(seconds * RATE), np.float32)
    return np.concatenate([part for piece in pieces for part in (piece, silence)][:-1])


def tilted(x: Audio, tilt: float) -> Audio:
    """Tilt the spectrum by `tilt` dB per octave above 500 Hz."""
    y = filtered(x, lambda frequency: (np.maximum(frequency, 500.0) / 500.0) ** (tilt / 6.02))
    return np.asarray(0.95 * y / np.abs(y).max(), dtype=np.float32)
