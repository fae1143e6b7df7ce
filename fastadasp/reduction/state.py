"""The state that a method sees when it decides.

B rows (left-padded), T columns, D channels, H query heads, G key-value heads, d channels per head. Everything derived
is computed when a method first asks for it, so that none pays for what it does not use.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.ops.assignment import Assignment
from fastadasp.ops.attention import PLAIN, ScoreShape, attention_received_by_group, attention_rows
from fastadasp.ops.encoder_attention import EncoderAttention
from fastadasp.ops.eviction import evict_lowest
from fastadasp.ops.layout import Layout, per_row, upload
from fastadasp.ops.rotary import Rotary, rotate, unrotate
from fastadasp.ops.similarity import adjacent_key_cosine, cosine
from fastadasp.reduction.verbs import Verbs


@dataclass(frozen=True, eq=False)
class DecoderParts:
    """The decoder's own weights and functions that some methods use."""

    projections: Callable[[], tuple[Tensor, Tensor]]
    """Layer 0's query and key projections, (H · d, D) and (G · d, D); ValueError where they cannot be told apart."""
    head_dim: int
    final_norm: Callable[[Tensor], Tensor]
    """The norm between the last layer and the LM head."""
    future_rotary: Callable[[int], Rotary]
    """cos and sin of the positions that the next tokens after the prompt will have."""


@dataclass(frozen=True, eq=False, kw_only=True)
class State(Verbs):
    """The part of a state that every site has: the tokens at hand, and how many of them are to go.

    `Verbs` turn a decision about the tokens into an assignment.
    """

    layer: int
    """Index of the decoder layer, from 0; 0 for what enters it."""
    layout: Layout
    audio_BT: Tensor
    """bool: which columns are audio."""
    real_BT: Tensor | None
    """bool: False on padding; None if no row is padded."""
    size_BT: Tensor
    """float32: tokens of the prompt that each token stands for, more than one where some were fused."""
    n_remove: tuple[int, ...]
    """Audio tokens to remove from each row, as ratio and schedule have it."""
    hidden_BTD: Tensor
    """The tokens that the assignment will move; the embeddings at the input, the residual stream in a layer."""
    decoder: DecoderParts
    affordable: tuple[int, ...] = ()
    """Audio tokens that may go from each row, ahead of the schedule too (`Plan.affordable`); () for `n_remove`."""
    bias_BT: Tensor | None = None
    """float32: what this layer adds to the scores of each key (log sizes, `MergeMethod.proportional`), if anything."""

    @cached_property
    def question_BT(self) -> Tensor:
        """(B, T) bool: the text after the last audio token, where prompts put the instruction; none without audio."""
        return self.column_BT >= self.layout.width - per_row(self.layout.after, self.audio_BT.device)

    @cached_property
    def column_BT(self) -> Tensor:
        """(B, T) int64: each token's own column."""
        return torch.arange(self.layout.width, device=self.audio_BT.device).expand_as(self.audio_BT)

    @cached_property
    def rank_BT(self) -> Tensor:
        """(B, T) int64: how many audio tokens of the row stand before this one; defined where `audio_BT`."""
        return (self.audio_BT.cumsum(1) - 1).clamp_min(0)

    @cached_property
    def run_BT(self) -> Tensor:
        """(B, T) int64: how many runs of audio the row has begun up to this token, so that a run's tokens share one."""
        return (self.audio_BT & ~pad(self.audio_BT[:, :-1], (1, 0))).cumsum(1)

    def random_BT(self, seed: int) -> Tensor:
        """(B, T) float32 in [0, 1), a number for each audio token; see `random`."""
        return self.random(seed, self.audio_BT, self.layout.audio)[:, 0]

    def random(self, seed: int, chosen_BT: Tensor, counts: tuple[int, ...], heads: int = 1) -> Tensor:
        """(B, heads, T) float32 in [0, 1): a row's i-th token of `chosen_BT` gets the i-th number of its own generator.

        A row's draw depends on seed, layer and `counts[b]`, its number of such tokens, alone: neither on its place in a
        batch nor on the device.
        """
        draws_BHN = torch.zeros(len(counts), heads, max(counts))
        for row, count in enumerate(counts):
            # A generator of the CPU reads 32 bits of its seed.
            generator = torch.Generator().manual_seed(crc32(f"{seed} {self.layer} {count}".encode()))
            draws_BHN[row, :, :count] = torch.rand(heads, count, generator=generator)
        rank_B1T = (chosen_BT.cumsum(1) - 1).clamp_min(0)[:, None]
        return upload(draws_BHN, chosen_BT.device).gather(2, rank_B1T.expand(-1, heads, -1))

    def best_match(self, x_BTD: Tensor, source_BT: Tensor, target_BT: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) float32 and int64: the largest cosine of each source with a target of its run, and that one's column.

        -2 and T for a source whose run has no target, and for what is no source.
        """
        allowed_BTT = source_BT[..., None] & target_BT[:, None] & (self.run_BT[..., None] == self.run_BT[:, None])
        best_BT, into_BT = cosine(x_BTD, x_BTD).masked_fill(~allowed_BTT, -2).max(2)
        return best_BT, into_BT.masked_fill(~(best_BT > -2), into_BT.shape[1])

    def from_hull(self, value_BN: Tensor) -> Tensor:
        """Values (numbers or bools) of the `layout.hull` columns, on all columns; zero elsewhere."""
        hull = self.layout.hull
        return pad(value_BN, (hull.start, self.layout.width - hull.stop))


@dataclass(frozen=True, eq=False, kw_only=True)
class InputState(State):
    """The prompt before decoder layer 0: text embeddings, and audio features as the projector gives them."""

    attend_encoder: Callable[[], EncoderAttention]

    @cached_property
    def encoder(self) -> EncoderAttention:
        """Attention and keys of the audio encoder's last layer; ValueError where the model has no such encoder."""
        return self.attend_encoder()


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerState(State):
    """One decoder layer during prefill, between attention and MLP."""

    queries_BHTd: Tensor
    """After the rotary rotation, as are the keys."""
    keys_BGTd: Tensor
    values_BGTd: Tensor
    scaling: float
    """Factor of the attention scores."""
    rotary: Rotary | None
    """The rotation of this layer's queries and keys; None where it is none of halves (see `unrotate`)."""
    head_output: Callable[[int, Tensor], Tensor]
    """What query head h adds to the residual stream for its (B, T, d) channels: (B, T, D), by the output projection."""
    lse_BHT: Tensor | None = None
    """float32: natural log-sum-exp of each query's causal scores; None where this layer's attention did not tell it."""
    shape: ScoreShape | None = PLAIN
    """The other changes of this layer's scores; None where attention does not follow from queries and keys."""

    @cached_property
    def unrotated_queries_BHTd(self) -> Tensor:
        """The queries before the rotary rotation."""
        return unrotate(self.queries_BHTd, self.rotary)

    @cached_property
    def unrotated_keys_BGTd(self) -> Tensor:
        """The keys before the rotary rotation."""
        return unrotate(self.keys_BGTd, self.rotary)

    @cached_property
    def key_similarity_BT(self) -> Tensor:
        """(B, T) float32: cosine of the keys of t and t + 1, all heads concatenated; defined where `pair_BT`."""
        return self.from_hull(adjacent_key_cosine(self.keys_BGTd[:, :, self.layout.hull]))

    @property
    def score_shape(self) -> ScoreShape:
        """`shape`; ValueError where that is not known."""
        if self.shape is None:
            raise ValueError(
                "this method reads attention, and this model's attention does not follow from its queries and keys by "
                "scaling, soft cap, sinks and softmax (it may add position biases); choose a method that looks at "
                "hidden states or at keys alone, such as average or keydiff"
            )
        return self.shape

    def attention_from(self, first: int) -> Tensor:
        """(B, H, Q, T) float32: attention of the tokens from column `first` on; rows of padding mean nothing."""
        queries_BHQd = self.queries_BHTd[:, :, first:]
        return attention_rows(
            queries_BHQd, self.keys_BGTd, first, self.real_BT, self.scaling, self.bias_BT, self.score_shape
        )

    @cached_property
    def last_attention_BT(self) -> Tensor:
        """(B, T) float32: attention of the prompt's last token on each token, the mean over heads."""
        last = self.layout.width - 1
        return self.attention_from(last).mean(1)[:, 0]

    @cached_property
    def attention_received_BT(self) -> Tensor:
        """(B, T) float32: attention on each audio token, summed over all heads and queries of this layer."""
        return self.from_hull(self._received(self.layout.hull).sum(1))

    @cached_property
    def attention_received_BGT(self) -> Tensor:
        """(B, G, T) float32: attention on every token, summed over all queries of the heads that share its key."""
        return self._received(slice(0, self.layout.width))

    def _received(self, columns: slice) -> Tensor:
        """(B, G, N) float32: attention on the tokens of `columns`, by key-value head."""
        return attention_received_by_group(
            self.queries_BHTd,
            self.keys_BGTd,
            columns,
            self.real_BT,
            self.scaling,
            self.bias_BT,
            self.lse_BHT,
            self.score_shape,
        )

    def window_attention(self, window: int) -> tuple[Tensor, Tensor]:
        """`attention_of_last` of `window` tokens, but of at most half of a row's."""
        return self.attention_of_last([max(1, min(window, tokens // 2)) for tokens in self.layout.tokens])

    def attention_of_last(self, sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(B, H, W, T) float32 attention of the last W tokens, and (B, W) bool, which of these count: `sizes[b]` of
        row b, from 1 up, W being the largest."""
        width = max(sizes)
        rows = self.attention_from(self.layout.width - width)
        column_BW = torch.arange(width, device=rows.device).expand(len(rows), -1)
        return rows, column_BW >= per_row([width - size for size in sizes], rows.device)

    def future_queries(self, counts_BT: Tensor, positions: int) -> tuple[Tensor, Tensor]:
        """Mean (B, H, d) and covariance (B, H, d, d) of the queries where `counts_BT`, as they would be if rotated by
        the mean rotation of the next `positions` positions; float32."""
        queries_BHTd = self.unrotated_queries_BHTd.float()
        counts_B1T1 = counts_BT[:, None, :, None].float()
        total_B111 = counts_B1T1.sum(2, keepdim=True).clamp_min(1)
        mean_BH1d = (queries_BHTd * counts_B1T1).sum(2, keepdim=True) / total_B111
        centred_BHTd = (queries_BHTd - mean_BH1d) * counts_B1T1
        covariance_BHdd = centred_BHTd.transpose(2, 3) @ centred_BHTd / total_B111
        cos, sin = self.decoder.future_rotary(positions)
        turn = cos.float().mean(1, keepdim=True), sin.float().mean(1, keepdim=True)
        covariance_BHdd = rotate(rotate(covariance_BHdd, turn).transpose(2, 3), turn)
        return rotate(mean_BH1d, turn)[:, :, 0], covariance_BHdd

    def evict_bottom(self, score_BGT: Tensor, candidate_BT: Tensor, newest: tuple[int, ...]) -> Assignment:
        """Drop from the cache of each head the `n_remove` candidates with the lowest scores, but none of the newest.

        score_BGT: or (B, 1, T) for all heads alike. Returns an assignment of B x G rows.
        """
        score_BGT = score_BGT.expand(-1, self.keys_BGTd.shape[1], -1)
        candidate_BGT = candidate_BT[:, None].expand_as(score_BGT)
        return evict_lowest(score_BGT, candidate_BGT, self.real_BT, newest, self.n_remove, self.layout.tokens)
