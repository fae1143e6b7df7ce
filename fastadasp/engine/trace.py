"""The record of the latest prefill inside a `merging()` block."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.engine.cache import EvictingLayer
from fastadasp.ops.assignment import Assignment
from fastadasp.ops.layout import Layout


class MergeTrace:
    """Token counts and, if asked for, decisions. Rows are those of `audio_mask`: beams share theirs.

    L decoder layers, B rows.
    """

    def __init__(self, keep_assignments: bool = False) -> None:
        self.keep_assignments = keep_assignments
        self.assignments: dict[int, Assignment] = {}
        """Decisions inside the decoder by layer, beams expanded; only with `keep_assignments=True`."""
        self.input_assignment: Assignment | None = None
        """The decision before layer 0, likewise; None if there was none."""
        self.cache_assignments: dict[int, Assignment] = {}
        """Evictions from each layer's cache, likewise: one row for each row of the batch and KV head."""
        self.cache_bytes = 0
        """Keys and values after the prompt, padding and beams included; 0 without a cache."""
        self.cached_biases: list[Tensor | None] = []
        """For each layer, (B, S) with beams expanded: the numbers that attention adds to the scores of the cached keys;
        None for none."""
        self._entering: Layout | None = None
        self._left: list[Layout] = []
        self._cached: list[tuple[int, ...]] = []
        self._beams = 1
        self._later = 0
        """Tokens of the prompt after the part of it that was reduced."""

    @property
    def entering_audio_tokens(self) -> Tensor:
        """(B,) int64: audio tokens that enter layer 0, after a reduction at the input."""
        return self._counts([self._begun().audio])[0]

    @property
    def audio_tokens(self) -> Tensor:
        """(L, B) int64: audio tokens left after each layer, so `audio_tokens[layer]` is (B,)."""
        self._begun()
        return self._counts([layout.audio for layout in self._left])

    @property
    def tokens(self) -> Tensor:
        """(L, B) int64: all tokens left after each layer, padding not counted."""
        self._begun()
        return self._counts([layout.tokens for layout in self._left]) + self._later

    @property
    def cached_tokens(self) -> Tensor:
        """(L, B) int64: tokens of the prompt whose keys and values each KV head of a layer holds, on average where
        heads hold unlike numbers."""
        self._begun()
        return self._counts(self._cached)

    def _counts(self, counts: Sequence[tuple[int, ...]]) -> Tensor:
        return torch.tensor(counts)[:, :: self._beams]

    def _begun(self) -> Layout:
        if self._entering is None:
            raise RuntimeError("no prompt has run inside merging() yet; call generate() or the model first")
        return self._entering

    def start(self, layout: Layout, beams: int, layers: int) -> None:
        """A new prompt begins."""
        self._entering, self._beams = layout, beams
        self._left, self._cached = [layout] * layers, [layout.tokens] * layers
        self.cache_bytes = self._later = 0
        self.input_assignment = None
        self.assignments.clear()
        self.cache_assignments.clear()

    def reduced_input(self, layout: Layout, assignment: Assignment) -> None:
        """Fewer tokens enter layer 0."""
        self._entering = layout
        self._left, self._cached = [layout] * len(self._left), [layout.tokens] * len(self._left)
        if self.keep_assignments:
            self.input_assignment = assignment

    def reduced(self, layer: int, layout: Layout, assignment: Assignment) -> None:
        """Fewer tokens enter the MLP of `layer` and what follows."""
        after = len(self._left) - layer
        self._left[layer:], self._cached[layer + 1 :] = [layout] * after, [layout.tokens] * (after - 1)
        if self.keep_assignments:
            self.assignments[layer] = assignment

    def reduced_caches(self, layer: int, layout: Layout) -> None:
        """The caches up to that of `layer` follow the tokens."""
        self._cached[: layer + 1] = [layout.tokens] * (layer + 1)

    def evicted(self, layer: int, tokens: tuple[int, ...], assignment: Assignment) -> None:
        """The cache of `layer` holds fewer tokens than entered it."""
        self._cached[layer] = tokens
        if self.keep_assignments:
            self.cache_assignments[layer] = assignment

    def finish(self, cache: Any, biases: list[Tensor | None]) -> None:
        """The prompt has been read; `cache` (a transformers Cache, or None) holds its keys and values."""
        self.cached_biases = biases
        self._weigh(cache)

    def read_on(self, cache: Any, tokens: int) -> None:
        """A further part of the prompt has been read: so many tokens in each row, none of them audio."""
        self._later += tokens
        self._cached = [
            stored.tokens if isinstance(stored, EvictingLayer) else tuple(count + tokens for count in counts)
            for stored, counts in zip(cache.layers, self._cached, strict=True)
        ]
        self.cached_biases = [None if bias is None else pad(bias, (0, tokens)) for bias in self.cached_biases]
        self._weigh(cache)

    def _weigh(self, cache: Any) -> None:
        layers = [] if cache is None else cache.layers
        self.cache_bytes = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers if layer.is_initialized)
