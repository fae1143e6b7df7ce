"""Stride-k: subsampling of what the audio encoder gives (arXiv 2608.30927, EMNLP 2026)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.merge.frame import evenly_spaced
from fastadasp.reduction.input_method import InputMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class Stride(InputMethod):
    """Keeps every k-th audio token from the first on, where some k leaves as many as asked for (k = 2 at `ratio` 0.5).

    Between two strides [recon], it spaces the tokens as Frame does. Of the paper's two places, after the convolutions
    and after the encoder, this is the second.
    """

    def assign(self, state: "InputState") -> "Assignment":
        """Keep tokens at a fixed distance."""
        from fastadasp.ops.layout import per_row

        counts = list(zip(state.layout.audio, state.n_keep, strict=True))
        strides = [-(-audio // max(kept, 1)) for audio, kept in counts]
        fits = [(kept - 1) * stride < audio for (audio, kept), stride in zip(counts, strides, strict=True)]
        device = state.audio_BT.device
        strided_BT = state.rank_BT % per_row([max(stride, 1) for stride in strides], device) == 0
        fits_B1 = per_row(fits, device)
        return state.keep_only((strided_BT & (fits_B1 == 1)) | (evenly_spaced(state, state.n_keep) & (fits_B1 == 0)))
