"""Stride-k: subsampling of the output of the audio encoder (arXiv 2608.30927, EMNLP 2026)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.merge.frame import evenly_spaced
from fastadasp.reduction.input_method import InputMethod

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class Stride(InputMethod):
    """Keep every k-th audio token, beginning with the first. Example: `ratio=0.5` is k = 2.

    [recon] Where no whole k leaves the number of tokens that is asked for, tokens are spaced as in Frame. The paper
    subsamples after the convolutions or after the encoder; this method does the second.
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
