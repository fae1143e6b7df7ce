"""CaM: cache merging; evicted tokens leave their values to kept tokens (Zhang et al., ICML 2024, PMLR 235:58840)."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from fastadasp.merge.rescored import Rescored
from fastadasp.reduction.method import member

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import LayerState

Fold = Enum("Fold", ["mean", "sum"])


@dataclass(frozen=True)
class CaM(Rescored):
    """Evict the tokens that another method chooses, and add the value of each evicted token to the value of the kept
    token of the same clip that is nearest in time. Keys are not changed. The idea is FastAdaSP's, inside the cache.

    Let a be the attention that a token has received from the whole prompt, in one key-value head, and let e run over
    the evicted tokens that join a kept token. The value v of the kept token becomes

    - `mean`: (a v + Σ a_e v_e) / (a + Σ a_e), FastAdaSP's weighted mean;
    - `sum`: v + Σ min(1, a_e / a) v_e. This is the expectation of the paper's rule, which draws at random: the paper
      adds a value with probability min(1, a_e / a), and spreads the value over several tokens that follow.
    """

    fold: Fold = Fold.mean
    """How evicted values join a kept value: `mean`, weighted by attention, or `sum`, the expectation of the paper's
    rule."""

    takes_choice: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "fold", member(Fold, "merge.fold", self.fold))

    @property
    def uneven(self) -> bool:
        """Whether heads keep unequal numbers of tokens: where the scorer lets them."""
        return self.inner.uneven

    def assign(self, state: "LayerState") -> "Assignment":
        """Keep the tokens that the scorer keeps."""
        return self.inner.assign(state)

    def assign_values(self, state: "LayerState", assignment: "Assignment") -> "Assignment":
        """Send each kept value to its own slot, and each evicted value to the slot of the nearest kept audio token."""
        from fastadasp.ops.assignment import Assignment

        heads = state.keys_BGTd.shape[1]
        candidate_NT = self.candidates(state).repeat_interleave(heads, 0)
        kept_NT = assignment.slot >= 0
        into_NT = nearest(candidate_NT & kept_NT, candidate_NT & ~kept_NT)
        length = into_NT.shape[1]
        column_NT = into_NT.clamp_max(length - 1)
        slot_NT = (
            assignment.slot.gather(1, column_NT).masked_fill(into_NT == length, -1).where(~kept_NT, assignment.slot)
        )
        received_NT = state.attention_received_BGT.flatten(0, 1)
        if self.fold is Fold.mean:
            return Assignment(slot_NT, received_NT, assignment.tokens)
        part_NT = received_NT / received_NT.gather(1, column_NT).clamp_min(1e-30)
        weight_NT = part_NT.clamp_max(1).masked_fill(kept_NT, 1)
        return Assignment(slot_NT, weight_NT, assignment.tokens, mean=False)


def nearest(target_NT: "Tensor", source_NT: "Tensor") -> "Tensor":
    """(N, T) int64: the column of the target nearest to each source, of two the earlier one; T where the stretch of
    adjacent sources and targets holds no target, and for what is no source."""
    import torch
    from torch.nn.functional import pad

    length = target_NT.shape[1]
    inside_NT = target_NT | source_NT
    column = torch.arange(length, device=target_NT.device).expand_as(target_NT)
    begin_NT = column.masked_fill(~(inside_NT & ~pad(inside_NT[:, :-1], (1, 0))), 0).cummax(1).values
    end_NT = column.masked_fill(~(inside_NT & ~pad(inside_NT[:, 1:], (0, 1))), length).flip(1).cummin(1).values.flip(1)
    before_NT = column.masked_fill(~target_NT, -1).cummax(1).values
    after_NT = column.masked_fill(~target_NT, length).flip(1).cummin(1).values.flip(1)
    none_before, none_after = before_NT < begin_NT, after_NT > end_NT
    to_before = (column - before_NT).masked_fill(none_before, length)
    to_after = (after_NT - column).masked_fill(none_after, length)
    into_NT = before_NT.where(to_before <= to_after, after_NT)
    return into_NT.masked_fill(~source_NT | (none_before & none_after), length)
