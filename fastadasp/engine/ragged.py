"""A layer's cache whose heads hold unlike numbers of tokens: stored without padding, masked head by head.

B rows (beams expanded), G key-value heads, H query heads, S tokens of the head that holds most, N new tokens,
Q queries, K keys, P = all heads' tokens of the prompt together, d channels per head.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from fastadasp.engine.decoder import implementation_of
from fastadasp.engine.halves import Halves
from fastadasp.engine.span import KeyMask
from fastadasp.errors import UnsupportedError
from fastadasp.ops.assignment import Assignment
from fastadasp.ops.layout import padding_mask
from fastadasp.reduction.state import LayerState


class RaggedLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped
    """Holds what each head has kept of the prompt in one flat tensor, and what follows, which no head drops, beside it.

    Kernels read rectangles: each step makes one for this layer, padded on the left, which lives as long as the layer's
    attention. (A cache that grows by concatenation copies as much.) So what stays in memory is what was kept.
    """

    def __init__(self, stored: Any, lengths: tuple[int, ...]) -> None:
        """stored: (B, G, S, d) keys and values, padded on the left; lengths: B x G numbers of tokens."""
        super().__init__()
        self.lazy_initialization(stored.keys, stored.values)
        rows, heads, self.width, _ = stored.keys.shape
        real = padding_mask(lengths, stored.keys.device)
        real = torch.ones(rows * heads, self.width, dtype=torch.bool, device=self.device) if real is None else real
        self.head_P, self.column_P = real.nonzero(as_tuple=True)
        """Row and column of each token in the padded rectangle."""
        self.keys, self.values = (x.flatten(0, 1)[self.head_P, self.column_P] for x in (stored.keys, stored.values))
        self.new_keys, self.new_values = (x[:, :, :0].clone() for x in (stored.keys, stored.values))

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add (B, G, Q, d) keys and values of new tokens; returns all, (B, G, S + N, d), with zeros as padding."""
        self.new_keys = torch.cat([self.new_keys, key_states], -2)
        self.new_values = torch.cat([self.new_values, value_states], -2)
        return self._rectangle(self.keys, self.new_keys), self._rectangle(self.values, self.new_values)

    def _rectangle(self, prompt_Pd: Tensor, new_BGNd: Tensor) -> Tensor:
        rows, heads, new, channels = new_BGNd.shape
        whole = prompt_Pd.new_zeros(rows * heads, self.width + new, channels)
        whole[self.head_P, self.column_P] = prompt_Pd
        whole[:, self.width :] = new_BGNd.flatten(0, 1)
        return whole.view(rows, heads, -1, channels)

    def get_seq_length(self) -> int:
        """Columns of the rectangle."""
        return int(self.width + self.new_keys.shape[-2])

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Beam search goes on from these rows. All beams of a prompt hold the same of it, which stays where it is."""
        rows = beam_idx.to(self.new_keys.device)
        self.new_keys, self.new_values = self.new_keys[rows], self.new_values[rows]

    def crop(self, tokens_to_remove: int) -> None:
        """Take back the last tokens, as assisted and prompt look-up decoding do; those of the prompt stay.

        tokens_to_remove: their number, negative.
        """
        left = self.new_keys.shape[-2] + tokens_to_remove
        if tokens_to_remove > 0 or left < 0:
            raise ValueError(
                f"crop({tokens_to_remove}): of a cache whose heads hold unlike parts of the prompt, only the "
                f"{self.new_keys.shape[-2]} tokens after the prompt can be taken back, by their negative number"
            )
        self.new_keys, self.new_values = self.new_keys[..., :left, :], self.new_values[..., :left, :]

    def reset(self) -> None:
        """Impossible."""
        raise ValueError(
            "a cache that merging() has shortened cannot be filled again; begin with an empty DynamicCache"
        )

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Impossible."""
        raise ValueError("rows of a cache whose heads hold unlike numbers of tokens cannot be repeated or selected")

    def batch_select_indices(self, indices: Tensor) -> None:
        """Impossible."""
        self.batch_repeat_interleave(len(indices))


class HeadKeyMask(KeyMask):
    """Masks where each head of a layer holds its own number of the prompt's tokens."""

    def __init__(self, tokens: tuple[int, ...], heads: int, groups: int) -> None:
        """tokens: B x G; heads and groups: H and G of the layer."""
        super().__init__(tokens)
        self.heads, self.groups = heads, groups

    def build(self, attention: Any, hidden_BQD: Tensor, keys: int, halves: Halves) -> Tensor | None:
        """(B, H, Q, K); None where heads do not differ and the kernel needs none."""
        mask = super().build(attention, hidden_BQD, keys, halves)
        if mask is None or len(mask) == 1:
            return mask
        by_group = mask.view(-1, self.groups, *mask.shape[2:])
        return by_group.repeat_interleave(self.heads // self.groups, 1)


def store_unevenly(cache: DynamicCache, state: LayerState, assignment: Assignment) -> HeadKeyMask:
    """Store what `assignment` has left in a layer's cache without padding; returns the masks for it."""
    layers, heads, groups = cache.layers, state.queries_BHTd.shape[1], state.keys_BGTd.shape[1]
    layers[state.layer] = RaggedLayer(layers[state.layer], assignment.lengths)
    return HeadKeyMask(assignment.lengths, heads, groups)


def check_masks_by_head(attention: Any) -> None:
    """Refuse attention kernels that mask all heads alike."""
    implementation = implementation_of(attention)
    if "flash" in implementation:
        raise UnsupportedError(
            f"{implementation!r} masks all heads alike, but budgets by head leave each its own tokens; load the model "
            "with attn_implementation='sdpa' or 'eager' (hardware.attention)"
        )
