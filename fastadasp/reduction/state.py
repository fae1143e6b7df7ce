"""What a method may look at when it decides.

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

from fastadasp.ops.assignment import Assignment, choose_top, fuse_groups, fuse_pairs, keep_only
from fastadasp.ops.attention import PLAIN, ScoreShape, attention_received_by_group, attention_rows
from fastadasp.ops.encoder_attention import EncoderAttention
from fastadasp.ops.eviction import evict_lowest
from fastadasp.ops.layout import Layout, per_row, upload
from fastadasp.ops.similarity import adjacent_key_cosine, cosine

Rotary = tuple[Tensor, Tensor]
"""cos and sin, each (1 or B, T, d)."""


@dataclass(frozen=True, eq=False)
class DecoderParts:
    """The decoder's own weights and functions that some methods use."""

    projections: Callable[[], tuple[Tensor, Tensor]]
    """Layer 0's query and key projections, (H · d, D) and (G · d, D); ValueError where they cannot be told apart."""
    head_dim: int
    final_norm: Callable[[Tensor], Tensor]
    """What the last layer's output goes through before the LM head."""
    future_rotary: Callable[[int], Rotary]
    """cos and sin of the positions that the next tokens after the prompt will have."""


@dataclass(frozen=True, eq=False, kw_only=True)
class State:
    """What is known at every site: the tokens at hand, and how many of them are to go."""

    layer: int
    """Index of the decoder layer, from 0; 0 for what enters it."""
    layout: Layout
    audio_BT: Tensor
    """bool: which columns are audio."""
    real_BT: Tensor | None
    """bool: False on padding; None if no row is padded."""
    size_BT: Tensor
    """float32: tokens of the prompt that each token stands for, more than one where some were fused."""
    budget: tuple[int, ...]
    """Audio tokens to remove from each row, as ratio and schedule have it."""
    hidden_BTD: Tensor
    """The tokens that the assignment will move; the embeddings at the input, the residual stream in a layer."""
    decoder: DecoderParts
    bias_BT: Tensor | None = None
    """float32: what this layer adds to the scores of each key (log sizes, `MergeMethod.proportional`), if anything."""

    @cached_property
    def question_BT(self) -> Tensor:
        """(B, T) bool: the text after the last audio token, where prompts put the instruction; none without audio."""
        return self.column_BT >= self.layout.width - per_row(self.layout.after, self.audio_BT.device)

    @cached_property
    def pair_BT(self) -> Tensor:
        """(B, T) bool: token t and t + 1 are both audio."""
        return pad(self.audio_BT[:, :-1] & self.audio_BT[:, 1:], (0, 1))

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

    def fuse(self, score_BT: Tensor, weight_BT: Tensor | None = None) -> Assignment:
        """Fuse the `budget` (or all) audio pairs with the largest scores; a run of chosen pairs becomes one token.

        score_BT: of token t and t + 1. weight_BT: of each token in the mean; None for equal weights.
        """
        counts = tuple(map(min, self.budget, self.layout.pairs))
        return self.join(choose_top(score_BT, self.pair_BT, counts), counts, weight_BT)

    def join(
        self, pair_BT: Tensor, removed: tuple[int, ...] | None = None, weight_BT: Tensor | None = None
    ) -> Assignment:
        """Fuse the audio pairs that `pair_BT` marks; `removed` is their number, where the host knows it."""
        weight_BT = torch.ones_like(pair_BT, dtype=torch.float32) if weight_BT is None else weight_BT
        return fuse_pairs(pair_BT, weight_BT, self.real_BT, None if removed is None else self.left(removed))

    def gather(self, into_BT: Tensor, removed: tuple[int, ...] | None, weight_BT: Tensor) -> Assignment:
        """Fuse each token into that of column `into_BT`, often itself, or drop it where that is T.

        removed: audio tokens that this costs each row, where the host knows it.
        """
        return fuse_groups(into_BT, weight_BT, self.real_BT, None if removed is None else self.left(removed))

    def best_match(self, x_BTD: Tensor, source_BT: Tensor, target_BT: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) float32 and int64: the largest cosine of each source with a target of its run, and that one's column.

        -2 and T for a source whose run has no target, and for what is no source.
        """
        allowed_BTT = source_BT[..., None] & target_BT[:, None] & (self.run_BT[..., None] == self.run_BT[:, None])
        best_BT, into_BT = cosine(x_BTD, x_BTD).masked_fill(~allowed_BTT, -2).max(2)
        return best_BT, into_BT.masked_fill(~(best_BT > -2), into_BT.shape[1])

    def drop(self, score_BT: Tensor) -> Assignment:
        """Drop the `budget` audio tokens with the largest scores."""
        return self.retain(~choose_top(score_BT, self.audio_BT, self.budget))

    def keep(self, score_BT: Tensor) -> Assignment:
        """Keep the audio tokens with the largest scores, dropping `budget`."""
        return self.retain(choose_top(score_BT, self.audio_BT, self.kept))

    @property
    def kept(self) -> tuple[int, ...]:
        """Audio tokens that `budget` leaves to each row."""
        return tuple(audio - count for audio, count in zip(self.layout.audio, self.budget, strict=True))

    def retain(self, kept_BT: Tensor) -> Assignment:
        """Drop the audio tokens that `kept_BT` does not mark; they must be `budget` many."""
        keep_BT = kept_BT | ~self.audio_BT
        if self.real_BT is not None:
            keep_BT = keep_BT & self.real_BT
        return keep_only(keep_BT, self.left(self.budget))

    def spread(self, value_BN: Tensor) -> Tensor:
        """Values (numbers or bools) of the `layout.hull` columns, on all columns; zero elsewhere."""
        hull = self.layout.hull
        return pad(value_BN, (hull.start, self.layout.width - hull.stop))

    def left(self, removed: tuple[int, ...]) -> tuple[int, ...]:
        """Tokens of each row, text included, once `removed` audio tokens are gone."""
        return tuple(tokens - count for tokens, count in zip(self.layout.tokens, removed, strict=True))


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
    """What else this layer does to its scores; None where its attention does not follow from queries and keys."""
    affordable: tuple[int, ...] = ()
    """Audio tokens that may go from each row, ahead of the schedule too (`Plan.affordable`); () for the budget."""

    def fuse_ahead(self, score_BT: Tensor, weight_BT: Tensor | None, early_BT: Tensor) -> Assignment:
        """`fuse`, and as many more of the pairs `early_BT` as the whole schedule's budget lasts for."""
        most = tuple(map(min, self.affordable or self.budget, self.layout.pairs))
        due_BT = choose_top(score_BT, self.pair_BT, tuple(map(min, self.budget, most)))
        return self.join(due_BT | early_BT & choose_top(score_BT, self.pair_BT, most), None, weight_BT)

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
        return self.spread(adjacent_key_cosine(self.keys_BGTd[:, :, self.layout.hull]))

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
        return self.spread(self._received(self.layout.hull).sum(1))

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

    def evict(self, score_BGT: Tensor, candidate_BT: Tensor, newest: tuple[int, ...]) -> Assignment:
        """For the cache: drop from each head the `budget` candidates with the lowest scores, but none of the newest.

        score_BGT: or (B, 1, T) for all heads alike. Returns an assignment of B x G rows.
        """
        score_BGT = score_BGT.expand(-1, self.keys_BGTd.shape[1], -1)
        candidate_BGT = candidate_BT[:, None].expand_as(score_BGT)
        return evict_lowest(score_BGT, candidate_BGT, self.real_BT, newest, self.budget, self.layout.tokens)


def rotate(x_BHTd: Tensor, rotary: Rotary) -> Tensor:
    """Rotary embedding of queries or keys: channel i turns with channel i + r/2, r being the channels of the tables;
    further channels stay."""
    cos_B1Tr, sin_B1Tr = (table[:, None].to(x_BHTd.dtype) for table in rotary)
    turning, staying = x_BHTd[..., : cos_B1Tr.shape[-1]], x_BHTd[..., cos_B1Tr.shape[-1] :]
    first, second = turning.chunk(2, -1)
    turned = turning * cos_B1Tr + torch.cat((-second, first), -1) * sin_B1Tr
    return torch.cat((turned, staying), -1) if staying.shape[-1] else turned


def unrotate(x_BHTd: Tensor, rotary: Rotary | None) -> Tensor:
    """The inverse of `rotate`; tables may carry a factor (YaRN), which goes too. ValueError where there is none."""
    if rotary is None:
        raise ValueError(
            "this method looks at queries and keys before the rotary rotation, and this model turns them in a way that "
            "is not known here (interleaved channels, or positions given to attention itself); choose another method"
        )
    cos, sin = (table.float() for table in rotary)
    norm = cos.square() + sin.square()
    return rotate(x_BHTd.float(), (cos / norm, -sin / norm)).to(x_BHTd.dtype)
