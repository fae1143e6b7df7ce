"""VisionZip: dominant tokens are kept, the others fused (Yang et al., CVPR 2025, arXiv 2412.04467), for audio."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import check_share

if TYPE_CHECKING:
    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class VisionZip(InputMethod):
    """Keep the tokens that receive the most attention in the last layer of the encoder, and fuse the others.

    Attention is averaged over heads; the tokens that receive the most are the dominant ones. Each other token is fused
    into the contextual token of the same run whose encoder key is most similar. Of the K tokens left, a share
    `contextual` of the n audio tokens (at least one) is contextual: every step-th of the M tokens that are not
    dominant, where step = max(1, M // count). A token in a run without contextual tokens is dropped. The release pools
    keys anew for each row of a batch, a fault that is not copied.

    [recon] The release adds the mean of the fused tokens to the contextual token, a sum of twice the norm of a token;
    here the mean of both is taken.
    """

    contextual: float = 0.05
    """Share of the audio tokens that become contextual tokens."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(
            "merge.contextual", self.contextual, "it is the share of the audio tokens that become contextual ones"
        )

    def assign(self, state: "InputState") -> "Assignment":
        """Keep the dominant tokens, and fuse the others into contextual tokens."""
        from fastadasp.ops.assignment import choose_top
        from fastadasp.ops.layout import per_row

        audio, kept, runs = state.layout.audio, state.n_keep, state.layout.runs
        contextual = [min(max(int(self.contextual * count), 1), most) for count, most in zip(audio, kept, strict=True)]
        dominant = [most - few for most, few in zip(kept, contextual, strict=True)]
        steps = [max(1, (n - most) // max(1, few)) for n, most, few in zip(audio, dominant, contextual, strict=True)]
        rest_BT = state.audio_BT & ~choose_top(state.encoder.received_BT("mean"), state.audio_BT, dominant)
        place_BT = rest_BT.cumsum(1) - 1
        step_B1, contextual_B1 = (per_row(numbers, place_BT.device) for numbers in (steps, contextual))
        target_BT = rest_BT & (place_BT % step_B1 == 0) & (place_BT // step_B1 < contextual_B1)

        source_BT = rest_BT & ~target_BT
        into_BT = state.best_match(state.encoder.keys_BTd, source_BT, target_BT)[1].where(source_BT, state.column_BT)
        members_BT = source_BT.float().new_zeros(len(into_BT), into_BT.shape[1] + 1)
        members_BT = members_BT.scatter_add(1, into_BT, source_BT.float()).gather(1, into_BT)
        # A contextual token weighs as much as all that are fused into it.
        weight_BT = members_BT.clamp_min(1).reciprocal().masked_fill(~source_BT, 1)
        return state.fuse_into(into_BT, weight_BT, state.n_remove if max(runs) <= 1 else None)
