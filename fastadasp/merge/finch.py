"""FINCH: tokens that the question attends to are kept (Corallo and Papotti, TACL 2024, arXiv 2408.00167)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastadasp.reduction.cache_method import CacheMethod

if TYPE_CHECKING:
    from torch import Tensor

    from fastadasp.reduction.state import LayerState


@dataclass(frozen=True)
class Finch(CacheMethod):
    """Keep the tokens that the text after the last audio token attends to most.

    A score is the mean attention over the tokens of this text and over the query heads that share a key. The window of
    queries is therefore as long as the question, whatever the length of the audio. Where no text follows the audio, the
    last token alone is the window. The paper reads long documents in chunks, each followed by the question, and
    renumbers the positions of the tokens that are left; here the prompt is read in one piece, and positions stay.
    """

    normalise: bool = True
    """Multiply a query's attention by the number of tokens that the query sees, so that early queries, whose attention
    is shared by fewer tokens, do not count for more."""

    def score(self, state: "LayerState") -> "Tensor":
        """Mean attention from the question; its own tokens have the best scores, the newest token the very best."""
        import torch

        asking_BHQT, asks_BQ = state.attention_of_last([max(1, after) for after in state.layout.after])
        groups, width = state.keys_BGTd.shape[1], asking_BHQT.shape[-1]
        weight_BQ = asks_BQ.float()
        if self.normalise:
            real_BT = torch.ones_like(state.audio_BT) if state.real_BT is None else state.real_BT
            weight_BQ = weight_BQ * real_BT.cumsum(1)[:, width - asks_BQ.shape[1] :]
        total_BHT = (asking_BHQT * weight_BQ[:, None, :, None]).sum(2) / asks_BQ.sum(1)[:, None, None]
        score_BGT = total_BHT.view(len(total_BHT), groups, -1, width).mean(2)
        inside_BT = torch.zeros_like(state.audio_BT)
        inside_BT[:, width - asks_BQ.shape[1] :] = asks_BQ
        # No attention times a number of tokens exceeds the width.
        return score_BGT.where(~inside_BT[:, None], width + 1.0 + state.column_BT[:, None])
