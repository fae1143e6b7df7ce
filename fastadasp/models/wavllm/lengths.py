"""How many frames and tokens the two encoders make of a recording."""

from collections.abc import Sequence
from dataclasses import dataclass

SAMPLE_RATE = 16_000
WINDOW = 30 * SAMPLE_RATE
"""Samples that Whisper's encoder hears at once. Longer audio is cut into windows; WavLM hears all of it."""
HOP = 160
"""Samples from one log-mel frame to the next."""
SUBSAMPLING = 2
"""Convolutions of stride 2 between an encoder and the decoder."""


def halved(frames: int, times: int = 1) -> int:
    """Length after `times` convolutions of kernel 3, stride 2 and padding 1."""
    for _ in range(times):
        frames = (frames - 1) // 2 + 1
    return frames


def windows(samples: int) -> int:
    """Windows of Whisper's encoder; a recording has at least one."""
    return max(1, -(-samples // WINDOW))


def whisper_frames(samples: int) -> int:
    """Frames (50 a second) that are kept of each of a recording's windows: as many as its longest window fills."""
    longest = min(samples, WINDOW)
    return halved(-(-longest // HOP))


@dataclass(frozen=True)
class Convolutions:
    """Kernel sizes and strides of WavLM's front end."""

    kernels: Sequence[int]
    strides: Sequence[int]

    def frames(self, samples: int) -> int:
        """Frames (50 a second) that WavLM makes; 0 for audio that is shorter than one."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            samples = max(0, (samples - kernel) // stride + 1)
        return samples

    @property
    def least_samples(self) -> int:
        """Shortest audio that makes a frame."""
        samples = 1
        for kernel, stride in reversed(list(zip(self.kernels, self.strides, strict=True))):
            samples = (samples - 1) * stride + kernel
        return samples


def audio_tokens(samples: int, wavlm: Convolutions) -> int:
    """Tokens that the decoder reads: both streams are cut to the shorter one's length."""
    whisper = windows(samples) * halved(whisper_frames(samples), SUBSAMPLING)
    return min(whisper, halved(wavlm.frames(samples), SUBSAMPLING))
