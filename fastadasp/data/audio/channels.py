"""From several channels to one, and what is to be said about the result."""

import numpy as np
from numpy.typing import NDArray

from fastadasp.data.audio.clips import Samples
from fastadasp.data.audio.decoders.base import Block
from fastadasp.data.audio.errors import AudioError

_SILENT = 1e-6
"""Share of the loudest channel's energy (-60 dB) below which a channel counts as silent."""
_CANCELLED = 0.1
"""Share of the energy that the mean of unrelated channels would have, below which they cancel each other out."""


class Levels:
    """Sums over all blocks of a file, from which a loudest channel and suspicious files are told."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.peak = 0.0
        self._sum_C: NDArray[np.float64] = np.zeros(channels)
        self._energy_C: NDArray[np.float64] = np.zeros(channels)
        self._mean_sum = 0.0
        self._mean_energy = 0.0

    def add(self, block_NC: Block) -> None:
        """Take in the next samples; all must be finite."""
        self.count += len(block_NC)
        self.peak = max(self.peak, float(np.abs(block_NC).max(initial=0.0)))
        self._sum_C += block_NC.sum(axis=0, dtype=np.float64)
        self._energy_C += np.square(block_NC, dtype=np.float64).sum(axis=0)
        mean_N = block_NC.mean(axis=1, dtype=np.float64)
        self._mean_sum += float(mean_N.sum())
        self._mean_energy += float(np.square(mean_N).sum())

    @property
    def _swing_C(self) -> NDArray[np.float64]:
        """Energy of each channel without its constant part."""
        swing_C: NDArray[np.float64] = np.maximum(self._energy_C - self._sum_C**2 / max(self.count, 1), 0.0)
        return swing_C

    @property
    def loudest(self) -> int:
        """Index of the channel with the most energy, a constant offset not counted."""
        return int(np.argmax(self._swing_C))

    def remarks(self, channel: str) -> list[str]:
        """What a user should know about a file of which `channel` was read."""
        swing_C, total_C = self._swing_C, self._energy_C
        if not total_C.any():
            return ["holds digital silence: every sample is 0"]
        loudest = float(swing_C.max())
        if self.count > 1 and loudest <= 1e-12 * float(total_C.max()):
            return ["holds one constant value and no sound"]
        if channel != "mean" or len(swing_C) == 1:
            return []
        silent = [str(index + 1) for index, energy in enumerate(swing_C) if energy < _SILENT * loudest]
        if silent:
            return [
                f"has {len(swing_C)} channels of which {', '.join(silent)} {'is' if len(silent) == 1 else 'are'} "
                "silent, so that the mean is quieter than the speech; task.audio.channel=louder reads one channel"
            ]
        swing = self._mean_energy - self._mean_sum**2 / max(self.count, 1)
        if swing < _CANCELLED * float(swing_C.sum()) / len(swing_C) ** 2:
            lost = 10 * np.log10(loudest / max(swing, loudest * 1e-12))
            return [
                f"has channels of opposite phases that cancel out in their mean, which is {lost:.0f} dB below the "
                "louder one; task.audio.channel=louder or left reads one of them"
            ]
        return []


def pick(block_NC: Block, channel: str, loudest: int | None = None) -> Samples:
    """(N,) one waveform of the block: the mean of its channels or one of them, as AudioOptions.channel says.

    Raises AudioError (without the file's name) where there is no such channel.
    """
    channels = block_NC.shape[1]
    if channels == 1:
        return block_NC[:, 0]
    if channel == "mean":
        mean_N: Samples = block_NC.mean(axis=1, dtype=np.float32)
        return mean_N
    index = loudest if channel == "louder" and loudest is not None else {"left": 0, "right": 1}.get(channel)
    if index is None:
        index = int(channel) - 1
    if index >= channels:
        raise AudioError(f"task.audio.channel={channel} does not exist: the file has {channels} channels")
    return block_NC[:, index]
