"""From recordings to what the decoder reads of them: Whisper and WavLM side by side, then joined.

B recordings, W windows of 30 s, K windows of all recordings, N tokens, C channels, D channels of the decoder.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from fastadasp.models.wavllm.connector import Connector
from fastadasp.models.wavllm.lengths import whisper_frames, windows
from fastadasp.models.wavllm.wavlm import WavLMStream


class AudioEncoder(nn.Module):
    """Both streams, cut to the shorter one's length and joined channel by channel."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        whisper, wavlm = config.whisper_config, config.wavlm_config
        self.whisper = WhisperEncoder(whisper)
        self.whisper_connector = Connector(config, whisper.d_model, config.whisper_channels)
        self.wavlm = WavLMStream(wavlm)
        self.wavlm_connector = Connector(config, wavlm.hidden_size, config.wavlm_channels)
        self.projection = nn.Linear(2 * config.projected_size, config.text_config.hidden_size)

    def forward(self, input_features: Tensor, input_values: Tensor, samples: Sequence[int]) -> list[Tensor]:
        """For each recording its tokens, (N, D).

        input_features: (B, W, mels, 3000) log-mel windows; input_values: (B, samples) waveforms, as WavLM wants them;
        samples: how many of each recording count. Windows and samples beyond them are never looked at.
        """
        whisper = self._windowed(input_features, samples)
        frames_BFC, lengths = self.wavlm(input_values, samples)
        wavlm = self.wavlm_connector(frames_BFC, lengths)
        joined = []
        for by_whisper, by_wavlm in zip(whisper, wavlm, strict=True):
            shorter = min(len(by_whisper), len(by_wavlm))
            joined.append(torch.cat((by_whisper[:shorter].to(by_wavlm.device), by_wavlm[:shorter]), 1))
        projected: Tensor = self.projection(torch.cat(joined))
        return list(torch.split(projected, [len(row) for row in joined]))

    def _windowed(self, input_features: Tensor, samples: Sequence[int]) -> list[Tensor]:
        """Whisper's tokens of each recording, window after window; the last one's silence is cut off later."""
        counts = [windows(count) for count in samples]
        features_KMF = torch.cat([row[:count] for row, count in zip(input_features, counts, strict=True)])
        frames_KFC = self.whisper(features_KMF.to(self.whisper.conv1.weight.dtype)).last_hidden_state
        kept = [
            frames
            for count, frames in zip(counts, map(whisper_frames, samples), strict=True)
            for frames in [frames] * count
        ]
        tokens = iter(self.whisper_connector(frames_KFC[:, : max(kept)], kept))
        return [torch.cat([next(tokens) for _ in range(count)]) for count in counts]
