"""Blend before the decoder (ours): the audio is divided into the stretches of time that are most alike inside."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import Positions, check_count

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState

Weights = Enum("Weights", ["plain", "norm", "encoder"])
Space = Enum("Space", ["direction", "raw"])
LEAST = 1e-6
"""A token's weight, where its norm or the attention on the token is 0."""


@dataclass(frozen=True)
class BlendInput(InputMethod):
    """Divide the audio tokens of a row into exactly n - int(n · ratio) segments of neighbours, each of which becomes
    one token, such that the tokens of a segment differ as little as possible from their weighted mean.

    The division is the best of all divisions (dynamic programming), not a greedy one. Example: of six tokens a a b b b
    c and ratio 0.5, the segments are aa, bbb and c.
    """

    positions: Positions = Positions.original
    """Rotary positions after fusing (see `MergeMethod`). `original` keeps the distances in time, without
    which much is lost. `packed` is for servers, whose positions are contiguous."""
    proportional: bool = field(default=True, kw_only=True)
    """Proportional attention (see `MergeMethod`), here on by default. Servers take no such bias and need `false`."""
    longest: int = 8
    """The most audio tokens of one segment, more only where so few segments must hold all tokens."""
    weights: Weights = Weights.norm
    """The weight of a token in the mean. `plain`: equal weights. `norm`: the norm of the projector's output. `encoder`:
    the attention that the token receives in the encoder's last layer, the mean over heads."""
    space: Space = Space.direction
    """What is compared. `direction`: the projector's outputs divided by their norms. `raw`: these outputs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.longest", self.longest, "it is the most tokens of one segment", least=2)

    def assign(self, state: "InputState") -> "Assignment":
        """Fuse each segment of the best division."""
        from torch.nn.functional import normalize

        from fastadasp.ops.segments import best_segments, scatter_of_segments

        layout = state.layout
        removed = tuple(map(min, state.n_remove, layout.pairs))
        kept = tuple(audio - gone for audio, gone in zip(layout.audio, removed, strict=True))
        order_BN = (~state.audio_BT).byte().argsort(dim=1, stable=True)[:, : max(layout.audio)]  # audio tokens first
        x_BND = state.hidden_BTD.gather(1, order_BN[..., None].expand(-1, -1, state.hidden_BTD.shape[2])).float()
        if self.space is Space.direction:
            x_BND = normalize(x_BND, dim=2)
        weight_BT = self._weight(state)
        longest = [self._longest(*row) for row in zip(layout.audio, kept, layout.runs, strict=True)]
        cost_BNL = scatter_of_segments(
            x_BND, weight_BT.gather(1, order_BN), state.run_BT.gather(1, order_BN).clamp_min(1), longest
        )
        last_BT = state.audio_BT.scatter(1, order_BN, best_segments(cost_BNL, layout.audio, kept))
        return state.fuse_pairs(state.pair_BT & ~last_BT, weight_BT, removed)

    def _longest(self, audio: int, kept: int, runs: int) -> int:
        """The most tokens of one segment in a row: enough that `kept` segments, of which none crosses a run, hold all
        `audio` tokens."""
        return max(self.longest, -(-audio // max(1, kept - runs + 1)))

    def _weight(self, state: "InputState") -> "Tensor":
        """(B, T) float32, above 0."""
        from torch.linalg import vector_norm

        match self.weights:
            case Weights.norm:
                weight_BT: Tensor = vector_norm(state.hidden_BTD.float(), dim=2)
            case Weights.encoder:
                weight_BT = state.encoder.received_BT("mean")
            case _:
                weight_BT = state.size_BT.new_ones(state.size_BT.shape)
        return weight_BT.clamp_min(LEAST)
