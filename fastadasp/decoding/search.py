"""Greedy and beam search as fixed-shape tensor updates, with the results of transformers' `generate()`.

B rows, K beams, V vocabulary entries, N new tokens at most. All state stays on the device at fixed addresses, so that
an update can be part of a CUDA graph; an update after the end changes nothing that is returned.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from fastadasp.ops.layout import upload

WORST = -1.0e9
"""transformers' score of what must not be chosen."""


class Search(ABC):
    """What to read next, given the logits of what was read last."""

    token_BK: Tensor
    """int64: what each beam reads next."""
    finished: Tensor
    """bool scalar: whether more steps could change the result."""

    def __init__(
        self, rows: int, beams: int, new_tokens: int, eos: Sequence[int], pad: int, device: torch.device
    ) -> None:
        self.beams = beams
        self.eos = upload(torch.tensor(list(eos), dtype=torch.int64), device)
        self.pad = pad
        self.limit = new_tokens
        self.length = torch.zeros((), dtype=torch.int64, device=device)
        """Tokens chosen so far."""
        self.token_BK = torch.full((rows, beams), pad, device=device)
        self.finished = torch.zeros((), dtype=torch.bool, device=device)
        self.text_BKN = torch.full((rows, beams, new_tokens), pad, device=device)

    @abstractmethod
    def advance(self, logits_BKV: Tensor) -> Tensor | None:
        """Choose the next tokens; returns the (B, K) beams that the new ones continue, None if each its own."""

    @abstractmethod
    def result(self) -> Tensor:
        """(B, new) int64: the answers, padded on the right; as long as the longest."""


class Greedy(Search):
    """The likeliest token each time."""

    def __init__(self, rows: int, new_tokens: int, eos: Sequence[int], pad: int, device: torch.device) -> None:
        super().__init__(rows, 1, new_tokens, eos, pad, device)
        self._ended_B1 = torch.zeros(rows, 1, dtype=torch.bool, device=device)

    def advance(self, logits_BKV: Tensor) -> None:
        """Choose the next tokens; returns the (B, K) beams that the new ones continue, None if each its own.

        Rows whose answer has ended read padding.
        """
        token_B1 = logits_BKV.argmax(-1).masked_fill(self._ended_B1, self.pad)
        self.token_BK.copy_(token_B1)
        self.text_BKN.index_copy_(2, self.length[None], token_B1[..., None])
        self._ended_B1 |= torch.isin(token_B1, self.eos)
        self.length += 1
        self.finished.copy_(self._ended_B1.all())

    def result(self) -> Tensor:
        """(B, new) int64: the answers, padded on the right; as long as the longest."""
        text_BN = self.text_BKN[:, 0, : int(self.length)]
        ended_BN = torch.isin(text_BN, self.eos).cumsum(1).roll(1, 1)
        ended_BN[:, :1] = 0
        longest = int((ended_BN == 0).sum(1).max())
        return text_BN[:, :longest]


class BeamSearch(Search):
    """transformers' beam search (its vectorised form): scores, length penalty, early stopping and ties are the same."""

    def __init__(
        self,
        rows: int,
        beams: int,
        new_tokens: int,
        eos: Sequence[int],
        pad: int,
        device: torch.device,
        *,
        length_penalty: float = 1.0,
        early_stopping: bool = False,
    ) -> None:
        super().__init__(rows, beams, new_tokens, eos, pad, device)
        self.length_penalty, self.early_stopping = length_penalty, early_stopping
        self._score_BK = torch.full((rows, beams), WORST, device=device)
        self._score_BK[:, 0] = 0.0  # all beams start alike: only the first may be continued
        self._candidates = max(2, 1 + len(eos)) * beams
        self._best_BKN = torch.full_like(self.text_BKN, pad)
        self._best_length_BK = torch.zeros(rows, beams, dtype=torch.int64, device=device)
        self._best_score_BK = torch.full((rows, beams), WORST, device=device)
        self._complete_BK = torch.zeros(rows, beams, dtype=torch.bool, device=device)
        self._improvable_B1 = torch.ones(rows, 1, dtype=torch.bool, device=device)

    def advance(self, logits_BKV: Tensor) -> Tensor:
        """Choose the next tokens; returns the (B, K) beams that the new ones continue, None if each its own."""
        total_BKV = logits_BKV.float().log_softmax(-1) + self._score_BK[..., None]
        score_BC, index_BC = total_BKV.flatten(1).topk(self._candidates)
        beam_BC, token_BC = index_BC // logits_BKV.shape[-1], index_BC % logits_BKV.shape[-1]
        text_BCN = _pick(self.text_BKN, beam_BC)
        text_BCN.index_copy_(2, self.length[None], token_BC[..., None])
        self.length += 1
        ends_BC = torch.isin(token_BC, self.eos) | (self.length >= self.limit)
        self._keep_finished(text_BCN, score_BC, ends_BC)
        going_on_BC = score_BC + ends_BC * WORST
        score_BK, choice_BK = going_on_BC.topk(self.beams)
        self._score_BK.copy_(score_BK)
        self.text_BKN.copy_(_pick(text_BCN, choice_BK))
        self.token_BK.copy_(token_BC.gather(1, choice_BK))
        self._update_end(ends_BC)
        return beam_BC.gather(1, choice_BK)

    def _keep_finished(self, text_BCN: Tensor, score_BC: Tensor, ends_BC: Tensor) -> None:
        """Take candidates that end now, of the best K, among the K best answers so far."""
        ends_BC = ends_BC & (torch.arange(ends_BC.shape[1], device=ends_BC.device) < self.beams)
        closed_B1 = ~self._improvable_B1
        if self.early_stopping:
            closed_B1 = closed_B1 | self._complete_BK.all(1, keepdim=True)
        score_BC = score_BC / self.length**self.length_penalty + closed_B1 * WORST + ~ends_BC * WORST
        score_BK, choice_BK = torch.cat((self._best_score_BK, score_BC), 1).topk(self.beams)
        length_BC = self.length.expand_as(ends_BC)
        self._best_BKN.copy_(_pick(torch.cat((self._best_BKN, text_BCN), 1), choice_BK))
        self._best_length_BK.copy_(torch.cat((self._best_length_BK, length_BC), 1).gather(1, choice_BK))
        self._complete_BK.copy_(torch.cat((self._complete_BK, ends_BC), 1).gather(1, choice_BK))
        self._best_score_BK.copy_(score_BK)

    def _update_end(self, ends_BC: Tensor) -> None:
        """Is any running beam still able to beat the worst answer kept, by its score so far at its present length?"""
        hope_B1 = self._score_BK[:, :1] / self.length**self.length_penalty
        worst_B1 = self._best_score_BK.amin(1, keepdim=True)
        # Not `where`: on a GPU it would copy WORST there and wait, which a graph being recorded cannot.
        better_BK = hope_B1 > worst_B1.expand_as(self._complete_BK).masked_fill(~self._complete_BK, WORST)
        self._improvable_B1 &= better_BK.any(1, keepdim=True)
        ended = ~self._improvable_B1.any() | ends_BC.all()
        if self.early_stopping:
            ended = ended | self._complete_BK.all()
        self.finished |= ended

    def result(self) -> Tensor:
        """(B, new) int64: the answers, padded on the right; the best answer of each row."""
        return self._best_BKN[:, 0, : int(self._best_length_BK[:, 0].max())]


def _pick(x_BKN: Tensor, index_BC: Tensor) -> Tensor:
    """(B, C, N): the entries `index_BC` of dimension 1."""
    return x_BKN.gather(1, index_BC[..., None].expand(-1, -1, x_BKN.shape[2]))
