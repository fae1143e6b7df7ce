"""Segment-wise top-k (ICASSP 2026, arXiv 2511.14293): the tokens that the encoder attends to most, in each segment."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class SegmentTopK(InputMethod):
    """Cut the audio of a row into equal segments, and keep the best floor(K / segments) tokens of each segment.

    The best tokens are those that receive the most attention (mean over heads) in the last layer of the encoder.
    Example: K = 50 tokens and 8 segments keep 6 tokens of each segment, and 2 more. [recon] These 2, what the division
    leaves over, are the best of the remaining tokens; the paper names neither this rule nor the number of segments.
    """

    segments: int = 10
    """Number of equal segments into which the audio of a row is cut."""

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
