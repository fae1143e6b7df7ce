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


@dataclass(frozen=True)
class BlendInput(InputMethod):
    """Divide the audio tokens of a row into exactly n - int(n · ratio) segments of neighbours, each of which becomes
    one token, such that the tokens of a segment differ as little as possible from their weighted mean.

    The division is the best of all divisions (dynamic programming), not a greedy one. Example: of six tokens a a b b b
    c and ratio 0.5, the segments are aa, bbb and c.
    """

    positions: Positions = Positions.original
    """Rotary positions after fusing, as in all methods. `original` keeps the distances in time; without
    them much is lost. `packed` is for servers, whose positions are contiguous."""
    proportional: bool = field(default=True, kw_only=True)
    """As in all methods; here on by default. Servers take no such bias: set it to false there."""
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
        import torch
        from torch.nn.functional import normalize

        from fastadasp.ops.layout import per_row
        from fastadasp.ops.segments import best_segments, scatter_of_segments

        layout = state.layout
        removed = tuple(map(min, state.n_remove, layout.pairs))
        kept = tuple(audio - gone for audio, gone in zip(layout.audio, removed, strict=True))
        order_BN = (~state.audio_BT).byte().argsort(dim=1, stable=True)[:, : max(layout.audio)]  # audio tokens first
        x_BND = state.hidden_BTD.gather(1, order_BN[..., None].expand(-1, -1, state.hidden_BTD.shape[2])).float()
        if self.space is Space.direction:
            x_BND = normalize(x_BND, dim=2)
        weight_BT = self._weight(state)
        weight_BN = torch.ones_like(order_BN, dtype=x_BND.dtype) if weight_BT is None else weight_BT.gather(1, order_BN)
        longest = [self._longest(*row) for row in zip(layout.audio, kept, layout.runs, strict=True)]
        cost_BNL = scatter_of_segments(x_BND, weight_BN, max(longest))
        run_BN, span_L = state.run_BT.gather(1, order_BN), torch.arange(max(longest), device=order_BN.device)
        first_BNL = (torch.arange(order_BN.shape[1], device=order_BN.device)[:, None] - span_L).clamp_min(0)
        crosses_BNL = run_BN[:, first_BNL] != run_BN[..., None]
        too_long_B1L = (span_L.expand(len(longest), -1) >= per_row(longest, order_BN.device))[:, None]
        cost_BNL = cost_BNL.masked_fill(crosses_BNL | too_long_B1L, torch.inf)
        last_BN = best_segments(cost_BNL, layout.audio, kept)
        last_BT = state.audio_BT.scatter(1, order_BN, last_BN)
        return state.fuse_pairs(state.pair_BT & ~last_BT, weight_BT, removed)

    def _longest(self, audio: int, kept: int, runs: int) -> int:
        """The most tokens of one segment in a row, such that a division exists."""
        return max(self.longest, -(-audio // max(1, kept - runs + 1)) if kept > runs else audio, 1)

    def _weight(self, state: "InputState") -> "Tensor | None":
        """(B, T) float32, above 0; None for equal weights."""
        from torch.linalg import vector_norm

        match self.weights:
            case Weights.norm:
                norm_BT: Tensor = vector_norm(state.hidden_BTD.float(), dim=2)
                return norm_BT.clamp_min(1e-6)
            case Weights.encoder:
                return state.encoder.received_BT("mean").clamp_min(1e-6)
            case _:
                return None
