"""SpeechPrune: tokens that resemble the question are kept (Lin et al., ICME 2025, arXiv 2412.12009)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.method import check_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from fastadasp.ops.assignment import Assignment
    from fastadasp.reduction.state import InputState

BLOCK_SCORES = 2**24
"""Attention scores held at once: 64 MiB in float32."""


@dataclass(frozen=True)
class SpeechPrune(InputMethod):
    """Prune audio embeddings s in two phases, by the embeddings t of the text after the audio; made for spoken
    retrieval.

    1. Audio longer than `window` tokens is shortened to `window` tokens. Let f_i = mean_t cos(s_i, t), F_j = the sum of
       f over frame j of `frame` tokens, and p = softmax(F). Frame j keeps its floor(window p_j) tokens with the largest
       f.
    2. Of the tokens that are left, those are kept that receive the most attention from each other. Attention is
       approximated from the signs of layer 0's projections: softmax(Q K^T / sqrt(d)) with Q = sgn(s) sgn(W_Q), K =
       sgn(s) sgn(W_K) and sgn(0) = 1.

    [recon] What the floors and short frames leave over goes to the tokens with the largest f anywhere; phase 2 takes
    the mean over heads and queries. The question of the paper has no chat template around it; here the end of the
    template counts as text. The paper's rates are relative to `window`; `ratio` is relative to all audio tokens, as in
    all methods.
    """

    frame: int = 25
    """Number of audio tokens of a frame, about one second."""
    window: int = 750
    """Number of audio tokens that phase 1 leaves to phase 2, if larger than what `ratio` leaves; with 0, phase 1
    removes all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("merge.window", self.window, "it counts audio tokens")
        check_count("merge.frame", self.frame, "it counts audio tokens", least=1)

    def assign(self, state: "InputState") -> "Assignment":
        """Keep the tokens of relevant frames, then those that receive attention."""
        from fastadasp.ops.assignment import choose_top
        from fastadasp.ops.groups import gather_columns, take

        counts = [
            max(kept, min(audio, self.window)) for audio, kept in zip(state.layout.audio, state.n_keep, strict=True)
        ]
        relevant_BT = state.audio_BT if counts == list(state.layout.audio) else self._relevant(state, counts)
        if counts == list(state.n_keep):
            return state.keep_only(relevant_BT)
        column_BM, real_BM = gather_columns(relevant_BT, counts)
        parts = state.decoder
        received_BM = sign_attention_received(
            take(state.hidden_BTD, column_BM), real_BM, *parts.projections(), parts.head_dim
        )
        received_BT = received_BM.new_zeros(relevant_BT.shape).scatter(1, column_BM, received_BM)
        return state.keep_only(choose_top(received_BT, relevant_BT, state.n_keep))

    def _relevant(self, state: "InputState", counts: "Sequence[int]") -> "Tensor":
        """(B, T) bool: the tokens that phase 1 keeps, `counts[b]` audio tokens of row b."""
        from torch.nn.functional import normalize

        from fastadasp.ops.groups import choose_by_quota

        for row, (audio, count) in enumerate(zip(state.layout.audio, counts, strict=True)):
            if count < audio and not state.layout.after[row]:
                raise ValueError(
                    f"SpeechPrune keeps what the question asks for, but row {row} of the batch has no text after its "
                    "audio; put the question there, or choose another method"
                )
        unit_BTD = normalize(state.hidden_BTD.float(), dim=-1)
        question_BTD = unit_BTD * state.question_BT[..., None]
        text_B1 = unit_BTD.new_tensor(state.layout.after)[:, None].clamp_min(1)
        relevance_BT = (unit_BTD @ (question_BTD.sum(1) / text_B1)[..., None])[..., 0]
        frame_BT = state.rank_BT // self.frame
        frames = -(-max(state.layout.audio) // self.frame)
        quota_BG = frame_quotas(relevance_BT, state.audio_BT, frame_BT, frames, counts)
        return choose_by_quota(relevance_BT, state.audio_BT, frame_BT, quota_BG, counts)


def frame_quotas(
    relevance_BT: "Tensor", audio_BT: "Tensor", frame_BT: "Tensor", frames: int, counts: "Sequence[int]"
) -> "Tensor":
    """(B, G) int64: floor(`counts[b]` p_j) tokens of frame j, p the softmax over frames of their summed relevance."""
    frame_BT = frame_BT.masked_fill(~audio_BT, 0)
    total_BG = relevance_BT.new_zeros(len(audio_BT), frames)
    exists_BG = total_BG.scatter_add(1, frame_BT, audio_BT.float()) > 0
    total_BG = total_BG.scatter_add(1, frame_BT, relevance_BT.masked_fill(~audio_BT, 0))
    total_BG = total_BG.masked_fill(~exists_BG, float("-inf"))
    share_BG = total_BG.softmax(1).masked_fill(~exists_BG, 0)
    return (share_BG * share_BG.new_tensor(counts)[:, None]).long()


def sign_attention_received(
    token_BMD: "Tensor", real_BM: "Tensor", query_weight_ED: "Tensor", key_weight_ED: "Tensor", head_dim: int
) -> "Tensor":
    """(B, M) float32: attention that each token gets, summed over heads and queries, by the signs of all numbers.

    Not causal; in query blocks, so that no attention matrix is held.
    """
    signs_BMD = _signs(token_BMD)
    query_BHMd, key_BHMd = (
        (signs_BMD @ _signs(weight).T.to(signs_BMD.device)).view(*token_BMD.shape[:2], -1, head_dim).transpose(1, 2)
        for weight in (query_weight_ED, key_weight_ED)
    )
    heads, length = query_BHMd.shape[1:3]
    key_BHMd = key_BHMd.repeat_interleave(heads // key_BHMd.shape[1], 1)
    received_BM = token_BMD.new_zeros(token_BMD.shape[:2]).float()
    block = max(1, BLOCK_SCORES // (len(token_BMD) * heads * length))
    for first in range(0, length, block):
        scores_BHQM = query_BHMd[:, :, first : first + block] @ key_BHMd.transpose(2, 3) * head_dim**-0.5
        rows_BHQM = scores_BHQM.masked_fill(~real_BM[:, None, None], float("-inf")).softmax(-1)
        received_BM += (rows_BHQM * real_BM[:, None, first : first + block, None]).sum((1, 2))
    return received_BM


def _signs(x: "Tensor") -> "Tensor":
    """1 for what is not negative, else -1; float32, in which their sums are exact."""
    return (x >= 0).float() * 2 - 1
