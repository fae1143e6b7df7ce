"""Samp (SA-MAP): merge similar tokens, then keep diverse and relevant ones (AngelSlim, preprints 202606.0741)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.errors import ConfigError
from fastadasp.reduction.input_method import InputMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState


@dataclass(frozen=True)
class Samp(InputMethod):
    """Reduce the output of the projector in two steps, guided by the attention in the last layer of the encoder.

    1. The tokens are scanned in time. A token joins the open cluster if its mean cosine with the tokens of the cluster
       is at least `threshold`. A cluster becomes sum(w h) / sum(w), where w_j is the attention that token j receives,
       the largest over heads.
    2. If more clusters are left than the budget allows, greedy maximum a posteriori inference under a determinantal
       point process with kernel r_i cos_ij r_j chooses among them; r_i is the attention of the tokens of cluster i to
       themselves, the mean over tokens and heads.

    A difference of ours: where more tokens would join than may be removed (as in silence), only those with the largest
    mean cosines do. The release joins all of them, so that more tokens go than were asked for, and then chooses
    clusters twice, which gives NaN. The report's formula for r reads like a column sum; the formula of the code is
    used.
    """

    threshold: float = 0.85
    """The least mean cosine with the tokens of a cluster at which a token joins the cluster."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -1 <= self.threshold <= 1:
            raise ConfigError(f"merge.threshold must lie in [-1, 1], got {self.threshold}; it is a cosine")

    def assign(self, state: "InputState") -> "Assignment":
        """Merge tokens into clusters, then prune the clusters."""
        from fastadasp.ops.adjacent import mean_similarity_groups
        from fastadasp.ops.assignment import Assignment, apply, choose_top, keep_only
        from fastadasp.ops.diversity import determinantal_choice
        from fastadasp.ops.similarity import cosine

        hull = state.layout.hull
        token_BND = state.hidden_BTD[:, hull]
        follows_BN = state.pair_BT.roll(1, 1)[:, hull]
        cosine_BNN = cosine(token_BND, token_BND)
        starts_BN = mean_similarity_groups(cosine_BNN, follows_BN, self.threshold)
        joins_BT, score_BT = (state.from_hull(x).roll(-1, 1) for x in (~starts_BN, joined_at(cosine_BNN, starts_BN)))
        joins_BT = joins_BT & choose_top(score_BT, joins_BT, state.n_remove)
        clusters = state.fuse_pairs(joins_BT, weight_BT=state.encoder.received_BT("max"))
        equal = Assignment(clusters.slot, joins_BT.new_ones(joins_BT.shape), clusters.lengths)
        cluster_BSD = apply(state.hidden_BTD, clusters)
        relevance_BS = apply(state.encoder.own_BT("mean")[..., None], equal)[..., 0]
        kernel_BSS = relevance_BS[..., None] * cosine(cluster_BSD, cluster_BSD) * relevance_BS[:, None]
        audio_BS = clusters.total(state.audio_BT.int()) > 0
        real_BS = clusters.total((clusters.slot >= 0).int()) > 0
        chosen_BS = determinantal_choice(kernel_BSS, audio_BS, state.n_keep)
        return clusters.then(keep_only(chosen_BS | (real_BS & ~audio_BS), state.tokens_left(state.n_remove)))


def joined_at(similarity_BNN: "Tensor", starts_BN: "Tensor") -> "Tensor":
    """(B, N): the mean similarity of each token to those of its group that stand before it; 0 where a group starts."""
    import torch

    column = torch.arange(starts_BN.shape[1], device=starts_BN.device)
    first_BN = column.expand_as(starts_BN).masked_fill(~starts_BN, 0).cummax(1).values
    before_BNN = (column >= first_BN[..., None]) & (column < column[:, None])
    # In double, so that the scores of monotonous audio do not differ by rounding.
    total_BN = similarity_BNN.masked_fill(~before_BNN, 0).sum(2, dtype=torch.float64)
    return total_BN / (column - first_BN).clamp_min(1)
