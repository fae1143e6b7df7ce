"""The prompt as some consecutive decoder layers see it, and the masks and positions that follow from that.

B rows (left-padded), T columns, S columns after a reduction, Q queries, K keys, D hidden channels, d channels per head.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.engine.decoder import Layer, attention_mask
from fastadasp.ops.assignment import Assignment
from fastadasp.ops.layout import Layout, padding_mask
from fastadasp.reduction.method import MergeMethod, Positions
from fastadasp.reduction.state import Rotary


class KeyMask:
    """Attention masks over a prompt of which a layer holds `tokens[b]` keys in row b, and over all that follows it."""

    def __init__(self, tokens: tuple[int, ...], bias_BT: Tensor | None = None) -> None:
        """bias_BT: float32, what is added to the scores of each of these keys, if anything."""
        self.tokens, self.bias_BT = tokens, bias_BT
        self._built: tuple[int, int, Tensor | None] | None = None

    def build(self, layer: Layer, hidden_BQD: Tensor, keys: int) -> Tensor | None:
        """The mask for the last Q of `keys` keys, built once for all layers that share this object."""
        queries = hidden_BQD.shape[1]
        if self._built is None or self._built[:2] != (queries, keys):
            real_BK, bias_BK = padding_mask(self.tokens, hidden_BQD.device), self.bias_BT
            later = keys - max(self.tokens)
            if real_BK is not None:
                real_BK = pad(real_BK, (0, later), value=True)
            if bias_BK is not None:
                bias_BK = pad(bias_BK.to(hidden_BQD.device), (0, later))
            self._built = queries, keys, attention_mask(layer, real_BK, hidden_BQD, keys, bias_BK)
        mask = self._built[2]
        return None if mask is None else mask.to(hidden_BQD.device)


@dataclass(frozen=True, eq=False)
class Span:
    """The prompt as it came, or after a reduction."""

    layout: Layout
    audio_BT: Tensor
    real_BT: Tensor | None
    """False on padding; None if no row is padded."""
    size_BT: Tensor
    """float32: tokens of the prompt that each token stands for."""
    rotary: Rotary | None = None
    """None for the prompt as it came: there, transformers' own mask and positions are right."""
    proportional: bool = False
    """Whether attention to a token grows with its size."""

    @classmethod
    def of(cls, audio_BT: Tensor, real_BT: Tensor | None) -> "Span":
        """The prompt as it came."""
        layout = Layout.of(audio_BT, real_BT)
        size_BT = torch.ones(audio_BT.shape, device=audio_BT.device)
        return cls(layout, audio_BT, layout.real(audio_BT.device), size_BT)

    @cached_property
    def key_mask(self) -> KeyMask:
        """Masks for the layers that cache this span."""
        return KeyMask(self.layout.tokens, self.size_BT.clamp_min(1).log() if self.proportional else None)

    def inputs(self, layer: Layer, hidden_BTD: Tensor) -> dict[str, Any]:
        """The arguments of a layer's attention over this span that differ from those over the prompt as it came."""
        if self.rotary is None:
            return {}
        return {
            "attention_mask": self.key_mask.build(layer, hidden_BTD, self.layout.width),
            "position_embeddings": tuple(table.to(hidden_BTD.device) for table in self.rotary),
            "position_ids": None,
        }

    def state(self, device: torch.device) -> dict[str, Any]:
        """What a method's state says of this span."""
        bias_BT = self.key_mask.bias_BT
        return {
            "layout": self.layout,
            "bias_BT": None if bias_BT is None else bias_BT.to(device),
            "audio_BT": self.audio_BT.to(device),
            "real_BT": None if self.real_BT is None else self.real_BT.to(device),
            "size_BT": self.size_BT.to(device),
        }

    def reduced(self, assignment: Assignment, method: MergeMethod, rotary: Rotary) -> "Span":
        """The span after `assignment`, which is `method`'s, `rotary` being the positions before it."""
        layout = self.layout.reduced(assignment.lengths)
        audio_BS = pad(self.audio_BT.to(assignment.slot.device), (0, 1)).gather(1, assignment.first)
        if method.positions is Positions.packed:  # right-aligned: the last token of every row keeps its position
            cos, sin = (table[..., -layout.width :, :] for table in rotary)
        else:
            first_BS1 = assignment.first.clamp_max(self.layout.width - 1)[..., None]
            cos, sin = (torch.take_along_dim(table, first_BS1, -2) for table in rotary)
        size_BS = assignment.total(self.size_BT.to(audio_BS.device))
        proportional = self.proportional or method.proportional
        return Span(layout, audio_BS, layout.real(audio_BS.device), size_BS, (cos, sin), proportional)
