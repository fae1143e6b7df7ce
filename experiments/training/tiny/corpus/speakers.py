"""The population of synthetic speakers, and which of them only the development or test sets may use."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import numpy as np

from .voices import Prosody, Voice

ESPEAK_VARIANTS = ("m1", "m3", "m7", "f2", "f3", "f4", "klatt", "klatt4")
ESPEAK_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp")
SHARES = {"hibari": 0.66, "flite": 0.18, "piper": 0.1, "espeak": 0.06}
"""How much of the training speech each engine says (kokoro, slow, has shards of its own)."""
HELD_OUT = {
    "dev": ("hibari-05", "hibari-13", "hibari-21", "flite-awb-1", "kokoro-3"),
    "test": ("hibari-06", "hibari-14", "hibari-22", "flite-slt-2", "kokoro-1", "kokoro-2"),
}


HIBARI_NUMBERED_FIRST = 60
"""Of these some are held out; the ones after them are only added where none of those is near."""


def _hibari(count: int = 400) -> list[Voice]:
    """Speakers from one: pitch and tract length drawn together, as they go together in people."""
    rng = np.random.default_rng(2410)
    voices = [Voice("hibari-00", "hibari", "heart")]
    for number in range(1, count):
        size = rng.uniform(-1.0, 1.0)  # -1 a large man, 0 a woman with a low voice, 1 a child
        voices.append(
            Voice(
                name=f"hibari-{number:02d}",
                engine="hibari",
                base="heart",
                pitch=float(np.exp(0.42 * size - 0.2 + rng.normal(0, 0.08))),
                tract=float(np.exp(0.13 * size - 0.04 + rng.normal(0, 0.03))),
                rate=float(np.exp(rng.normal(0, 0.08))),
                tilt=float(rng.normal(0, 1.2)),
                breath=float(rng.normal(0, 3.0)),
            )
        )
    apart = [v for v in voices[:HIBARI_NUMBERED_FIRST] if split_of_voice(v) != "train"]
    return voices[:HIBARI_NUMBERED_FIRST] + [
        v for v in voices[HIBARI_NUMBERED_FIRST:] if not any(_alike(v, other) for other in apart)
    ]


def _alike(one: Voice, other: Voice) -> bool:
    """Whether pitch and formants are about as near as a listener takes for the same speaker's."""
    return abs(np.log(one.pitch / other.pitch)) < 0.06 and abs(np.log(one.tract / other.tract)) < 0.03


def _resampled(engine: str, base: str, label: str, tracts: Sequence[float], pitches: Sequence[float]) -> list[Voice]:
    pairs = zip(tracts, pitches, strict=True)
    return [Voice(f"{engine}-{label}-{n}", engine, base, pitch=p, tract=t) for n, (t, p) in enumerate(pairs)]


def population() -> list[Voice]:
    """Every speaker but kokoro's, in a fixed order."""
    voices = _hibari()
    voices += _resampled("flite", "slt", "slt", (1.0, 0.9, 0.84, 1.1, 1.05), (1.0, 0.85, 0.65, 1.2, 1.0))
    voices += _resampled("flite", "rms", "rms", (1.0, 0.93, 1.08, 1.18), (1.0, 0.9, 1.15, 1.6))
    voices += _resampled("flite", "awb", "awb", (1.0, 0.93, 1.1), (1.0, 0.85, 1.25))
    voices += _resampled("flite", "kal16", "kal", (1.0, 1.08), (1.0, 1.2))
    voices += _resampled("piper", "joe", "joe", (1.0, 0.92, 0.96, 1.07, 1.14, 1.22), (1.0,) * 6)
    accents = [(a, v) for a in ESPEAK_ACCENTS for v in ESPEAK_VARIANTS][::2]
    voices += [
        Voice(f"espeak-{a}-{v}", "espeak", f"{a}+{v}", tract=t)
        for (a, v), t in zip(accents, cycle((1.0, 0.94, 1.06)), strict=False)
    ]
    return voices


def kokoro_population() -> list[Voice]:
    """Kokoro's five styles, and blends of the two that no test set uses; slow, so these speak little."""
    names = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
    bases = [f"{name}:1" for name in names] + [
        f"jf_alpha:{a:.2f},jm_kumo:{1 - a:.2f}" for a in (0.2, 0.35, 0.5, 0.65, 0.8)
    ]
    whole = [Voice(f"kokoro-{n}", "kokoro", base) for n, base in enumerate(bases)]
    others = [
        replace(v, name=f"{v.name}{mark}", tract=t)
        for v in (whole[0], *whole[4:])
        for mark, t in (("-", 0.92), ("+", 1.08))
    ]
    return whole + others


def split_of_voice(voice: Voice) -> str:
    return next((split for split, names in HELD_OUT.items() if voice.name in names), "train")


def voices_for(split: str, engines: Sequence[str] = tuple(SHARES)) -> list[Voice]:
    everyone = population() + (kokoro_population() if "kokoro" in engines else [])
    return [v for v in everyone if split_of_voice(v) == split and v.engine in engines]


def draw(voices: Sequence[Voice], rng: np.random.Generator) -> Voice:
    """A voice: the engine by its share, then any of its voices."""
    engines = sorted({v.engine for v in voices})
    shares = np.array([SHARES.get(e, 0.2) for e in engines])
    engine = engines[int(rng.choice(len(engines), p=shares / shares.sum()))]
    fitting = [v for v in voices if v.engine == engine]
    return fitting[int(rng.integers(len(fitting)))]


def everyday_prosody(rng: np.random.Generator) -> Prosody:
    """The variation of plain reading."""
    return Prosody(
        rate=float(rng.uniform(0.82, 1.28)), pitch=float(np.exp(rng.normal(0, 0.05))), span=float(rng.uniform(0.7, 1.4))
    )
