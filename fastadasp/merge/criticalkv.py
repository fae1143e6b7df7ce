"""CriticalKV: scores include the effect of a value on the layer's output (Feng et al., 2025, arXiv 2502.03805)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.merge.rescored import Rescored

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class CriticalKV(Rescored):
    """Fill a first part of the budget by the scores of another method, and the rest by (score + `epsilon`) |W v|.

    |W v| is the L1 norm of what a value v adds to the residual stream through the output projection W of the layer, the
    mean over the query heads that share v. This norm bounds the change of the output when the token is evicted (paper,
    section 3).
    """

    first_stage: float = 0.5
    """Share of the budget that is filled by the scores alone, between 0 and 1."""
    epsilon: float = 1e-4
    """Added to a score before the multiplication, so that the norm of a value counts even where its score is 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.first_stage <= 1:
            raise ConfigError(
                f"merge.first_stage must lie in [0, 1], got {self.first_stage}; it is a share of the budget"
            )
        if not self.epsilon >= 0:
            raise ConfigError(f"merge.epsilon must not be negative, got {self.epsilon}")

    def score(self, state: "LayerState") -> "Tensor":
        """Scores in which the tokens of the first part of the budget come before all others."""
        from fastadasp.ops.assignment import choose_top

        norm_BGT = value_effects(state)
        score_BGT = self.inner.score(state).expand_as(norm_BGT).float().clamp_max(1e30)
        rows, heads, length = score_BGT.shape
        candidate_BGT = self.candidates(state)[:, None].expand_as(score_BGT)
        first = [int(kept * self.first_stage) for kept in self.kept_tokens(state) for _ in range(heads)]
        chosen = choose_top(score_BGT.flatten(0, 1), candidate_BGT.flatten(0, 1), first).view(rows, heads, length)
        return ((score_BGT + self.epsilon) * norm_BGT).masked_fill(chosen, float("inf"))


def value_effects(state: "LayerState") -> "Tensor":
    """(B, G, T) float32: the L1 norm of what each value adds to the residual stream, the mean over heads that share it.

    One head after the other, so that no more than (B, T, D) numbers are held.
    """
    import torch

    heads, groups = state.queries_BHTd.shape[1], state.values_BGTd.shape[1]
    norms = [
        state.head_output(head, state.values_BGTd[:, head * groups // heads]).float().abs().sum(-1)
        for head in range(heads)
    ]
    norm_BHT = torch.stack(norms, 1)
    return norm_BHT.view(len(norm_BHT), groups, -1, norm_BHT.shape[-1]).mean(2)
