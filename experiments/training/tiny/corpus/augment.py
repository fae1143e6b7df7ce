"""Rooms, noises, microphones and lines: what makes studio speech sound recorded. All drawn from one generator."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import fftconvolve

from .voices import RATE, Audio

Rng = np.random.Generator


def decibels(value: float) -> float:
    return float(10.0 ** (value / 20.0))


def rms(x: Audio) -> float:
    return float(np.sqrt(np.mean(np.square(x), dtype=np.float64)) + 1e-9)


def filtered(x: Audio, response: Callable[[Audio], Audio]) -> Audio:
    """Multiply the spectrum by a gain, given as a function of frequency in Hz."""
    size = next_fast_len(len(x), real=True)
    gain = response(rfftfreq(size, 1 / RATE).astype(np.float32)).astype(np.float32)
    return np.asarray(irfft(rfft(x, size) * gain, size)[: len(x)], dtype=np.float32)


def coloured_noise(samples: int, slope: float, rng: Rng) -> Audio:
    """Noise of unit power whose spectrum falls by `slope` dB per octave (0 white, 3 pink, 6 brown)."""
    white = rng.standard_normal(samples, dtype=np.float32)
    x = filtered(white, lambda frequency: (np.maximum(frequency, 20.0) / 1000.0) ** (-slope / 6.02))
    return x / rms(x)


def babble(samples: int, talkers: Sequence[Audio], rng: Rng) -> Audio:
    """Several other clips at once, each repeated from a random point on; unit power."""
    x = np.zeros(samples, np.float32)
    for talker in talkers:
        start = int(rng.integers(len(talker)))
        x += np.resize(np.roll(talker, -start), samples) / rms(talker)
    return x / rms(x)


def reverberate(x: Audio, rng: Rng) -> Audio:
    """Convolve with a made-up room: a direct path, a few early reflections, an exponentially decaying noise tail."""
    decay = rng.uniform(0.1, 0.7)  # RT60 in seconds
    samples = int(RATE * decay)
    tail = rng.standard_normal(samples, dtype=np.float32) * np.exp(
        -6.9 * np.arange(samples, dtype=np.float32) / samples
    )
    tail[: int(0.01 * RATE)] = 0.0
    early = rng.integers(int(0.002 * RATE), int(0.03 * RATE), size=int(rng.integers(3, 9)))
    response = tail * decibels(-rng.uniform(3.0, 18.0)) / np.linalg.norm(tail)
    response[early % samples] += rng.uniform(-0.3, 0.3, size=len(early))
    response[0] = 1.0
    return fftconvolve(x, response).astype(np.float32)[: len(x) + samples // 3]


def microphone(x: Audio, rng: Rng) -> Audio:
    """A smooth random frequency response of about +-6 dB, drawn at seven points of a log frequency axis."""
    points = np.log([50.0, 150.0, 400.0, 1000.0, 2500.0, 5000.0, 8000.0])
    levels = rng.normal(0.0, 4.0, size=len(points))
    return filtered(
        x, lambda frequency: 10.0 ** (np.interp(np.log(np.maximum(frequency, 50.0)), points, levels) / 20.0)
    )


def line(x: Audio, rng: Rng) -> Audio:
    """Band limits of a telephone, an old recording or a low-rate codec."""
    low, high = [(300.0, 3400.0), (20.0, 4000.0), (150.0, 5500.0), (80.0, 7000.0)][int(rng.integers(4))]
    return filtered(x, lambda f: 1.0 / (1.0 + (low / np.maximum(f, 1.0)) ** 8) / (1.0 + (f / high) ** 16))


def pad(x: Audio, rng: Rng) -> Audio:
    """Silence of 0.05-0.4 s before and 0.05-0.5 s after."""
    before, after = rng.uniform(0.05, 0.4), rng.uniform(0.05, 0.5)
    return np.pad(x, (int(before * RATE), int(after * RATE)))


def recorded(x: Audio, rng: Rng, talkers: Sequence[Audio] = (), strength: float = 1.0) -> Audio:
    """The clip as if recorded somewhere; `strength` 0 leaves only padding, faint room tone and gain.

    Args:
        talkers: other clips for babble; without them noise is coloured noise only.
    """
    x = pad(x, rng)
    if rng.random() < 0.4 * strength:
        x = reverberate(x, rng)
    if rng.random() < 0.5 * strength:
        x = microphone(x, rng)
    if rng.random() < 0.2 * strength:
        x = line(x, rng)
    snr = rng.uniform(6.0, 30.0) if rng.random() < 0.5 * strength else rng.uniform(35.0, 60.0)
    if len(talkers) and snr < 30.0 and rng.random() < 0.25:
        noise, snr = babble(len(x), talkers, rng), max(snr, 10.0)
    else:
        noise = coloured_noise(len(x), rng.uniform(0.0, 7.0), rng)
    x = x + noise * (rms(x) * decibels(-snr))
    if rng.random() < 0.05 * strength:
        x = np.tanh(x * rng.uniform(2.0, 6.0) / np.abs(x).max())
    return (x * (decibels(-rng.uniform(0.5, 20.0)) / np.abs(x).max())).astype(np.float32)


def to_int16(x: Audio) -> NDArray[np.int16]:
    return np.clip(np.round(x * 32767.0), -32768, 32767).astype(np.int16)
