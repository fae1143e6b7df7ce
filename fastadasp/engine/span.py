"""The prompt as some consecutive decoder layers see it, and the masks and positions that follow from that.

B rows (left-padded), T columns, S columns after a reduction, Q queries, K keys, D hidden channels, d channels per head.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.engine.decoder import attention_mask
from fastadasp.engine.halves import Halves
from fastadasp.ops.assignment import Assignment
from fastadasp.ops.layout import Layout, padding_mask
from fastadasp.reduction.method import MergeMethod, Positions

Columns = slice | Tensor
"""Where the tokens of a span stood in the prompt as it came: a slice of all rows' columns, or (B, S) int64."""


class KeyMask:
    """Attention masks over a prompt of which a layer holds `tokens[b]` keys in row b, and over all that follows it."""

    def __init__(self, tokens: tuple[int, ...], bias_BT: Tensor | None = None) -> None:
        """bias_BT: float32, what is added to the scores of each of these keys, if anything."""
        self.tokens, self.bias_BT = tokens, bias_BT
        self._size: tuple[int, int] | None = None
        self._built: dict[tuple[int | None, bool], Tensor | None] = {}

    def build(self, attention: Any, hidden_BQD: Tensor, keys: int, halves: Halves) -> Tensor | None:
        """The mask for the last Q of `keys` keys, built once for all layers that share this object and are alike."""
        queries, always = hidden_BQD.shape[1], halves.masked
        window = None if halves.windowed is None or halves.windowed >= keys else halves.windowed
        if self._size != (queries, keys):
            self._size, self._built = (queries, keys), {}
        if (window, always) not in self._built:
            real_BK, bias_BK = padding_mask(self.tokens, hidden_BQD.device), self.bias_BT
            later = keys - max(self.tokens)
            if real_BK is not None:
                real_BK = pad(real_BK, (0, later), value=True)
            if bias_BK is not None:
                bias_BK = pad(bias_BK.to(hidden_BQD.device), (0, later))
            mask = attention_mask(attention, real_BK, hidden_BQD, keys, bias_BK, window, always=always)
            self._built[window, always] = mask
        mask = self._built[window, always]
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
    columns: Columns | None = None
    """None for the prompt as it came: there, transformers' own mask and positions are right."""
    proportional: bool = False
    """Whether attention to a token grows with its size."""
    _moved: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    """Position tables that were moved already, by their identity: layers share theirs."""

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

    def inputs(self, attention: Any, hidden_BTD: Tensor, given: Mapping[str, Any], halves: Halves) -> dict[str, Any]:
        """The arguments of a layer over this span that differ from those over the prompt as it came, `given`."""
        if self.columns is None:
            return {}
        mask = self.key_mask.build(attention, hidden_BTD, self.layout.width, halves)
        return {"attention_mask": mask, **self._positions(given, halves.numbered)}

    def _positions(self, given: Mapping[str, Any], numbered: bool) -> dict[str, Any]:
        """Rotary tables moved like the tokens, and position numbers where a layer gets none or needs both."""
        positions: dict[str, Any] = {}
        tables, numbers = given.get("position_embeddings"), given.get("position_ids")
        if tables is not None:
            source, moved = self._moved.get(id(tables), (None, None))
            if source is not tables:
                moved = tables_at(tables, self.columns)
                self._moved[id(tables)] = tables, moved
            positions["position_embeddings"] = moved
        if "position_ids" in given:
            wanted = tables is None or numbered
            positions["position_ids"] = at_columns(numbers, self.columns, -1) if wanted else None
        return positions

    def state(self, device: torch.device) -> dict[str, Any]:
        """The fields of a method's state that describe this span."""
        bias_BT = self.key_mask.bias_BT
        return {
            "layout": self.layout,
            "bias_BT": None if bias_BT is None else bias_BT.to(device),
            "audio_BT": self.audio_BT.to(device),
            "real_BT": None if self.real_BT is None else self.real_BT.to(device),
            "size_BT": self.size_BT.to(device),
        }

    def reduced(self, assignment: Assignment, method: MergeMethod) -> "Span":
        """The span after `assignment`, which is `method`'s."""
        layout = self.layout.reduced(assignment.lengths)
        audio_BS = pad(self.audio_BT.to(assignment.slot.device), (0, 1)).gather(1, assignment.first)
        columns = slice(0, self.layout.width) if self.columns is None else self.columns
        if method.positions is Positions.packed:  # right-aligned: the last token of every row keeps its position
            columns = _last(columns, layout.width)
        else:
            first_BS = assignment.first.clamp_max(self.layout.width - 1)
            columns = first_BS + columns.start if isinstance(columns, slice) else columns.gather(1, first_BS)
        size_BS = assignment.total(self.size_BT.to(audio_BS.device))
        proportional = self.proportional or method.proportional
        return Span(layout, audio_BS, layout.real(audio_BS.device), size_BS, columns, proportional)


def _last(columns: Columns, width: int) -> Columns:
    return slice(columns.stop - width, columns.stop) if isinstance(columns, slice) else columns[:, -width:]


def at_columns(table: Tensor | None, columns: Columns | None, dimension: int) -> Tensor | None:
    """The entries of a table (..., T, ...) over the prompt as it came at `columns` of its dimension -1 or -2."""
    if table is None or columns is None:
        return table
    if isinstance(columns, slice):
        return table[..., columns] if dimension == -1 else table[..., columns, :]
    index = columns.to(table.device)
    return torch.take_along_dim(table, index if dimension == -1 else index[..., None], dimension)


def tables_at(tables: Any, columns: Columns | None) -> Any:
    """`at_columns` for rotary tables: cos and sin (..., T, d), or one of both together."""
    if isinstance(tables, Tensor):
        return at_columns(tables, columns, -2)
    return tuple(at_columns(table, columns, -2) for table in tables)
