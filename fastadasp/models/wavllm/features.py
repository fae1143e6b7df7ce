"""What both encoders hear of a recording: log-mel windows for Whisper, the waveform for WavLM."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, BatchFeature, WhisperFeatureExtractor

from fastadasp.models.wavllm.configuration import WavLLMConfig
from fastadasp.models.wavllm.lengths import WINDOW

LEAST_SAMPLES = 400
"""WavLM makes its first frame of 25 ms; shorter audio is followed by silence up to there."""
_EPSILON = 1e-7


class WavLLMFeatureExtractor(WhisperFeatureExtractor):  # type: ignore[misc]  # transformers is untyped
    """Windows of 30 s for Whisper, padded with silence as it was trained on, and the whole recording for WavLM."""

    model_input_names = ("input_features", "input_values", "audio_samples")

    def __init__(self, feature_size: int = 80, normalize_waveform: bool = False, **kwargs: Any) -> None:
        """normalize_waveform: zero mean and unit variance for WavLM's input; WavLM-base was trained without."""
        super().__init__(feature_size=feature_size, **kwargs)
        self.normalize_waveform = normalize_waveform

    def __call__(
        self,
        raw_speech: NDArray[np.float32] | Sequence[NDArray[np.float32]],
        sampling_rate: int | None = None,
        return_tensors: str = "np",
        **_: Any,
    ) -> BatchFeature:
        """Features of one recording or several; mono, 16 kHz, -1 to 1.

        input_features: (B, windows, mels, 3000) and input_values: (B, samples), padded with zeros at the end;
        audio_samples: (B,) how many samples count. Raises ValueError for another sampling rate.
        """
        several = isinstance(raw_speech, list | tuple) and not np.isscalar(raw_speech[0])
        recordings = [_at_least(np.asarray(each, np.float32)) for each in (raw_speech if several else [raw_speech])]
        by_row = [self._log_mel(recording, sampling_rate) for recording in recordings]
        features = np.zeros((len(by_row), max(map(len, by_row)), *by_row[0].shape[1:]), np.float32)
        values = np.zeros((len(recordings), max(map(len, recordings))), np.float32)
        for row, (mels, recording) in enumerate(zip(by_row, recordings, strict=True)):
            features[row, : len(mels)] = mels
            values[row, : len(recording)] = _normalized(recording) if self.normalize_waveform else recording
        data = {
            "input_features": features,
            "input_values": values,
            "audio_samples": np.array([len(recording) for recording in recordings]),
        }
        return BatchFeature(data, tensor_type=return_tensors)

    def _log_mel(self, recording: NDArray[np.float32], sampling_rate: int | None) -> NDArray[np.float32]:
        """(windows, mels, 3000)."""
        parts = [recording[start : start + WINDOW] for start in range(0, len(recording), WINDOW)]
        features = super().__call__(parts, sampling_rate=sampling_rate, return_tensors="np")["input_features"]
        return np.asarray(features, np.float32)


def _at_least(recording: NDArray[np.float32]) -> NDArray[np.float32]:
    if recording.ndim != 1:
        raise ValueError(f"a recording must be mono, of shape (samples,); got {recording.shape}")
    return np.pad(recording, (0, max(0, LEAST_SAMPLES - len(recording))))


def _normalized(recording: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = (recording - recording.mean()) / np.sqrt(recording.var() + _EPSILON)
    return scaled


AutoFeatureExtractor.register(WavLLMConfig, WavLLMFeatureExtractor, exist_ok=True)
