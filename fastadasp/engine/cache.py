"""Shortening what a decoder layer has cached: once after the prompt, and at every step after it.

B rows (beams expanded), G key-value heads, H query heads, S cached tokens, Q new tokens, d channels per head.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn.functional import pad
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from fastadasp.errors import UnsupportedError
from fastadasp.ops.assignment import Assignment, apply
from fastadasp.ops.attention import ScoreShape, attention_rows
from fastadasp.ops.eviction import all_but_lowest, evict_lowest
from fastadasp.ops.layout import padding_mask


def check_cache(cache: Any) -> None:
    """Refuse a cache whose layers cannot differ in length."""
    if not isinstance(cache, DynamicCache | None):
        raise UnsupportedError(
            f"merging() shortens each layer's cache on its own; {type(cache).__name__} cannot, use DynamicCache"
        )


def cache_of(inputs: Mapping[str, Any]) -> Any:
    """The cache among a layer's arguments, whatever its name there; None without one."""
    return next((value for value in inputs.values() if isinstance(value, Cache)), None)


def whole_layers(cache: Any) -> list[Any]:
    """The layers of an empty cache, those that forget what leaves a sliding window replaced by such that do not."""
    return [DynamicLayer() if type(layer) is DynamicSlidingWindowLayer else layer for layer in cache.layers]


def shorten(cache: DynamicCache, layer: int, assignment: Assignment, values: Assignment | None = None) -> None:
    """Replace the keys and values of `layer` by those of the assignment's output tokens; the old ones are freed.

    values: another assignment for the values, with equally many slots.
    """
    stored = cache.layers[layer]
    if type(stored) is not DynamicLayer:
        raise UnsupportedError(
            f"merging() cannot shorten the cache of layer {layer}, a {type(stored).__name__}; load the model with "
            "sliding_window=None and leave cache_implementation unset"
        )
    if not stored.is_initialized:
        raise UnsupportedError(
            f"layer {layer} has cached nothing for merging() to shorten: gradient checkpointing in training mode keeps "
            "no keys and values. Call model.eval() before, or choose a method that leaves the cache alone"
        )
    stored.keys = move(stored.keys, assignment)
    stored.values = move(stored.values, values or assignment)


def move(x_BGSd: Tensor, assignment: Assignment) -> Tensor:
    """`apply` for what is stored by head; the assignment has one row for each row, or one for each row and head."""
    rows, heads, _, channels = x_BGSd.shape
    if len(assignment.slot) == rows:
        moved = apply(x_BGSd.transpose(1, 2).flatten(2), assignment)
        return moved.view(rows, -1, heads, channels).transpose(1, 2)
    return apply(x_BGSd.flatten(0, 1), assignment).view(rows, heads, -1, channels)


class EvictingLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped
    """A layer's cache that goes on evicting: each token read pushes out the one that has received the least attention.

    What is known of each token, the attention it has received and whether it may go, follows beam search as keys do.
    A row of which nothing was evicted after the prompt has no limit, and grows as usual.
    """

    is_croppable = False

    def __init__(
        self,
        stored: Any,
        received_BGS: Tensor,
        removable_BGS: Tensor,
        *,
        tokens: tuple[int, ...],
        newest: tuple[int, ...],
        limited: tuple[bool, ...],
    ) -> None:
        """tokens: cached for each row; newest: removable tokens that are safe; limited: rows that may not grow."""
        super().__init__()
        self.lazy_initialization(stored.keys, stored.values)
        self.keys, self.values = stored.keys, stored.values
        self.received_BGS, self.removable_BGS = received_BGS, removable_BGS
        self.tokens, self.newest, self.limited = tokens, newest, limited
        self.later = 0
        """Tokens read since the prompt."""

    def step(self, queries_BHQd: Tensor, scaling: float, shape: ScoreShape) -> None:
        """After Q new tokens have attended: count what each token received, and evict Q of every limited row."""
        rows, heads, width, _ = self.keys.shape
        steps = queries_BHQd.shape[2]
        tokens = tuple(count + steps for count in self.tokens)
        real_BS = padding_mask(tokens, self.keys.device)
        attention = attention_rows(queries_BHQd, self.keys, width - steps, real_BS, scaling, shape=shape)
        received_BGS = pad(self.received_BGS, (0, steps)) + attention.view(rows, heads, -1, width).sum(2)
        removable_BGS = pad(self.removable_BGS, (0, steps), value=True)
        self.later += steps
        if steps == 1 and all(self.limited):
            index_BGS = all_but_lowest(received_BGS, removable_BGS, self.newest)
            self.received_BGS, self.removable_BGS = (
                received_BGS.gather(2, index_BGS),
                removable_BGS.gather(2, index_BGS),
            )
            index_BGSd = index_BGS[..., None].expand(-1, -1, -1, self.keys.shape[3])
            self.keys, self.values = self.keys.gather(2, index_BGSd), self.values.gather(2, index_BGSd)
            return
        removed = tuple(steps if limited else 0 for limited in self.limited)
        assignment = evict_lowest(received_BGS, removable_BGS, real_BS, self.newest, removed, tokens)
        self.keys, self.values = move(self.keys, assignment), move(self.values, assignment)
        self.received_BGS = move(received_BGS[..., None], assignment)[..., 0]
        self.removable_BGS = move(removable_BGS[..., None], assignment)[..., 0]
        self.tokens = tuple(count - gone for count, gone in zip(tokens, removed, strict=True))

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Beam search goes on from these rows; all of a prompt's beams hold equally many tokens."""
        super().reorder_cache(beam_idx)
        rows = beam_idx.to(self.received_BGS.device)
        self.received_BGS, self.removable_BGS = self.received_BGS[rows], self.removable_BGS[rows]

    def crop(self, tokens_to_remove: int) -> None:
        """Impossible: what is read evicts for good."""
        raise ValueError(
            "a cache that evicts at every step cannot take tokens back, as assisted and prompt look-up decoding do; "
            "decode without them, or set merge.decode=false"
        )
