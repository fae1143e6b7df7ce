"""Segment-wise top-k (ICASSP 2026, arXiv 2511.14293): the encoder's favourites, but from all over the audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class SegmentTopK(InputMethod):
    """Cuts a row's audio into equal segments and keeps floor(K / segments) tokens of each, those that get the most
    attention (mean over heads) in the encoder's last layer.

    [recon] What the division leaves over goes to the best tokens anywhere; the paper names neither that rule nor the
    number of segments.
    """

    segments: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.segments", self.segments, "the audio is cut into as many", least=1)

    def assign(self, state: "InputState") -> "Assignment":
        """Keep the best tokens of each segment."""
        from fastadasp.ops.groups import choose_by_quota
        from fastadasp.ops.layout import per_row

        rank_BT, device = state.rank_BT, state.rank_BT.device
        audio_B1 = per_row([max(n, 1) for n in state.layout.audio], device)
        quota_BG = rank_BT.new_zeros(len(rank_BT), self.segments)
        quota_BG = quota_BG + per_row([kept // self.segments for kept in state.n_keep], device)
        score_BT, segment_BT = state.encoder.received_BT("mean"), rank_BT * self.segments // audio_B1
        return state.keep_only(choose_by_quota(score_BT, state.audio_BT, segment_BT, quota_BG, state.n_keep))
