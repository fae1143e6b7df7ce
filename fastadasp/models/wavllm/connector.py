"""What leads from an encoder to where both streams meet: subsampling, a bottleneck adapter, a projection.

R rows (recordings, or windows of recordings), F frames, N tokens, C channels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fastadasp.models.wavllm.lengths import SUBSAMPLING, halved


class Subsampler(nn.Module):
    """Two convolutions of stride 2, each with half of its channels gating the other half: 50 frames become 12.5."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int) -> None:
        super().__init__()
        channels = ((in_channels, mid_channels), (mid_channels // 2, 2 * out_channels))
        self.conv_layers = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=3, stride=2, padding=1) for before, after in channels
        )

    def forward(self, frames_RFC: Tensor, lengths: Sequence[int]) -> Tensor:
        """(R, N, C); `lengths` frames of each row count. A row comes out as if it had been alone and unpadded."""
        x_RCF = frames_RFC.transpose(1, 2)
        for times, conv in enumerate(self.conv_layers):
            counted = [halved(length, times) for length in lengths]
            x_RCF = nn.functional.glu(conv(_zeroed(x_RCF, counted)), dim=1)
        return x_RCF.transpose(1, 2)


class Bottleneck(nn.Module):
    """A residual adapter. Its norm is on the branch, before the sum."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.down_layer = nn.Linear(channels, bottleneck)
        self.up_layer = nn.Linear(bottleneck, channels)
        self.layer_norm = nn.LayerNorm(channels)

    def forward(self, x_RNC: Tensor) -> Tensor:
        """(R, N, C)."""
        narrow = nn.functional.gelu(self.down_layer(x_RNC))
        out: Tensor = self.layer_norm(self.up_layer(narrow)) + x_RNC
        return out


class Connector(nn.Module):
    """From the frames of one encoder to tokens of `projected_size` channels."""

    def __init__(self, config: Any, encoder_size: int, mid_channels: int) -> None:
        super().__init__()
        self.subsample = Subsampler(encoder_size, mid_channels, config.stream_size)
        self.adapter = Bottleneck(config.stream_size, config.bottleneck_size)
        self.projector = nn.Linear(config.stream_size, config.projected_size)

    def forward(self, frames_RFC: Tensor, lengths: Sequence[int]) -> list[Tensor]:
        """For each row its tokens, (N, C)."""
        tokens_RNC = self.projector(self.adapter(self.subsample(frames_RFC, lengths)))
        return [row[: halved(length, SUBSAMPLING)] for row, length in zip(tokens_RNC, lengths, strict=True)]


def _zeroed(x_RCF: Tensor, lengths: Sequence[int]) -> Tensor:
    """`x_RCF` with zeros after each row's length: what a convolution's own padding would be."""
    if min(lengths) == x_RCF.shape[2]:
        return x_RCF
    columns = torch.arange(x_RCF.shape[2], device=x_RCF.device)
    beyond_R1F = columns >= torch.tensor(lengths, device=x_RCF.device)[:, None, None]
    return x_RCF.masked_fill(beyond_R1F, 0)
