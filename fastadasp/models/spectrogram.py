"""Whisper's spectrogram of the part of 30 s that holds sound.

F frames.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import transformers

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WhisperFeatureExtractor(transformers.WhisperFeatureExtractor):  # type: ignore[misc]  # transformers is untyped
    """transformers' extractor, whose frames of exact silence at the end are filled in instead of computed.

    Clips are padded with zeros to 30 s, and every frame is a Fourier transform: for 4 s of speech, seven eighths of
    them are of zeros alone. The class keeps its name, under which processors are saved.
    """

    def _torch_extract_fbank_features(self, waveform: "NDArray[np.float32]", device: str = "cpu") -> Any:
        """(..., samples) at 16 kHz -> (..., mels, F), as the class itself computes it."""
        frames = waveform.shape[-1] // self.hop_length
        heard = np.flatnonzero((waveform != 0).reshape(-1, waveform.shape[-1]).any(0))
        # The last of these frames is silent already, also where its window reaches into the reflection of the end.
        whole = -(-(int(heard[-1]) + 1 + self.n_fft) // self.hop_length) + 1 if len(heard) else frames
        if whole >= frames or self.dither != 0.0:
            return super()._torch_extract_fbank_features(waveform, device)
        found = super()._torch_extract_fbank_features(waveform[..., : whole * self.hop_length], device)
        silent = np.broadcast_to(found[..., -1:], (*found.shape[:-1], frames - whole))
        return np.concatenate([found, silent], axis=-1)


def quickened(processor: Any) -> Any:
    """A processor whose feature extractor, if it is Whisper's own, does not compute silence."""
    extractor = getattr(processor, "feature_extractor", None)
    if type(extractor) is transformers.WhisperFeatureExtractor:
        extractor.__class__ = WhisperFeatureExtractor
    return processor
