"""The prefill of one prompt: while the decoder reads it, methods decide, tokens move, and caches are shortened.

B rows (left-padded; beams expanded), T columns, S columns after a reduction, D hidden channels, d channels per head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fastadasp.engine.cache import EvictingLayer, cache_of, move, shorten
from fastadasp.engine.decoder import AttentionTap
from fastadasp.engine.encoder import EncoderTap
from fastadasp.engine.halves import Attended, Forward, Halves, Layer, first_half, padded, second_half
from fastadasp.engine.masks import MaskCheck
from fastadasp.engine.projection import head_output, query_and_key_weights
from fastadasp.engine.ragged import store_unevenly
from fastadasp.engine.span import KeyMask, Span
from fastadasp.engine.trace import MergeTrace
from fastadasp.engine.watch import Watch
from fastadasp.errors import UnsupportedError
from fastadasp.ops.assignment import apply
from fastadasp.ops.rotary import Rotary
from fastadasp.reduction.cache_method import CacheMethod
from fastadasp.reduction.flops import PaperFlops
from fastadasp.reduction.method import MergeMethod
from fastadasp.reduction.stages import Stages
from fastadasp.reduction.state import DecoderParts, InputState, LayerState


@dataclass(frozen=True, eq=False)
class Block:
    """The facts that are known when a `with merging(...)` block begins."""

    decoder: Any
    layers: Sequence[Layer]
    halves: Sequence[Halves]
    """How each layer is cut in two; empty where no layer is touched."""
    final_norm: nn.Module | None
    refill: bool
    """Whether the decoder wants as many tokens after its last layer as before its first."""
    stages: Stages
    encoder: EncoderTap
    audio_BT: Tensor
    """bool: which tokens of the prompt are audio, one row for all beams of it."""
    trace: MergeTrace
    watch: Watch

    def attention(self, index: int) -> Any:
        """The attention module of a layer."""
        return self.layers[index].get_submodule(self.halves[index].attention)


class Prefill:
    """One prompt, and what each layer holds of the prompt afterwards."""

    def __init__(self, block: Block, span: Span, rows: int) -> None:
        """span: the prompt as it came; rows: of the batch, beams expanded."""
        self.block, self.prompt = block, span
        self.beams = rows // len(block.audio_BT)
        self.amounts = block.stages.for_rows(span.layout, self._flops())
        layers = len(block.layers)
        self.spans = [span] * layers
        """The input of each layer."""
        self.cached: list[KeyMask] = [span.key_mask] * layers
        """The cached keys of each layer."""
        self.positions: Tensor | None = None
        """(..., T): those that the rotary embedding was asked for; None without a rotary embedding."""
        self.refilled = 0
        """Columns put before the last layer's output, which the decoder's own output is freed of."""
        self.masks = MaskCheck()
        block.trace.start(span.layout, self.beams, layers)

    def read(self, index: int, forward: Forward, hidden_BTD: Tensor, inputs: dict[str, Any]) -> Any:
        """A layer over the prompt, and what the methods at this layer do before and inside it."""
        if index == 0 and self.block.stages.input is not None:
            hidden_BTD = self._reduce_input(self.block.stages.input, hidden_BTD)
        span, halves = self.spans[index], self.block.halves[index]
        self.cached[index] = span.key_mask
        attention = self.block.attention(index)
        if span.columns is None:
            self.masks.note(index, attention, inputs.get("attention_mask"), span.real_BT, halves.windowed)
        inputs |= span.inputs(attention, hidden_BTD, inputs, halves)
        cache = cache_of(inputs)
        entered = [earlier.layout.audio for earlier in self.spans[: index + 1]]
        n_remove = self.amounts.n_remove(index, entered)
        evictions = self.amounts.evictions(index, span.layout) if cache is not None else ()
        if n_remove is None and not any(evictions):
            return self._refill(index, forward(hidden_BTD, **inputs), hidden_BTD.shape[1])
        check_window(halves.windowed, span.layout.width)
        layer = self.block.layers[index]
        with AttentionTap(attention) as tap:
            attended = first_half(layer, forward, halves, hidden_BTD, inputs)
        with torch.autocast(hidden_BTD.device.type, enabled=False):
            state = self._state(index, attended.hidden_BTD, tap, inputs)
            state = replace(state, n_remove=n_remove or (), affordable=self.amounts.affordable(index, entered))
            if self.block.stages.cache is not None and any(evictions):
                with self.block.watch.reducing(state.hidden_BTD.device):
                    self._evict(self.block.stages.cache, replace(state, n_remove=evictions), cache)
            if self.block.stages.decoder is not None and n_remove is not None:
                with self.block.watch.reducing(state.hidden_BTD.device):
                    attended = self._reduce(self.block.stages.decoder, state, attended, cache)
        output = second_half(layer, forward, halves, attended, inputs)
        return self._refill(index, output, attended.hidden_BTD.shape[1])

    def _refill(self, index: int, output: Any, left: int) -> Any:
        """Zeros before what the last layer gives, for decoders that reshape it to the prompt as it came."""
        if self.block.refill and index == len(self.spans) - 1:
            self.refilled = self.prompt.layout.width - left
        return padded(output, self.refilled) if self.refilled else output

    def _state(self, index: int, hidden_BTD: Tensor, tap: AttentionTap, inputs: dict[str, Any]) -> LayerState:
        """The state of a layer that a method sees."""
        layer, halves = self.block.layers[index], self.block.halves[index]
        projection = None if halves.projection is None else layer.get_submodule(halves.projection)
        return LayerState(
            **self.spans[index].state(hidden_BTD.device),
            layer=index,
            n_remove=(),
            hidden_BTD=hidden_BTD,
            queries_BHTd=tap.query_BHTd,
            keys_BGTd=tap.key_BGTd,
            values_BGTd=tap.value_BGTd,
            scaling=tap.scaling,
            shape=tap.shape if halves.explained else None,
            lse_BHT=tap.lse_BHT,
            rotary=_rotary(halves, inputs.get("position_embeddings"), tap.key_BGTd),
            head_output=partial(head_output, projection, tap.query_BHTd.shape[1]),
            decoder=self._parts(hidden_BTD),
        )

    def _reduce_input(self, method: MergeMethod, hidden_BTD: Tensor) -> Tensor:
        """Let the method shorten the prompt before layer 0."""
        n_remove = self.amounts.n_remove_at_input(self.prompt.layout.audio)
        if n_remove is None:
            return hidden_BTD
        device = hidden_BTD.device
        span = self.prompt.state(device)
        with self.block.watch.reducing(device), torch.autocast(device.type, enabled=False):
            state = InputState(
                **span,
                layer=0,
                n_remove=n_remove,
                hidden_BTD=hidden_BTD,
                decoder=self._parts(hidden_BTD),
                attend_encoder=partial(self.block.encoder.read, self.beams, span["audio_BT"]),
            )
            assignment = method.assign(state)
            reduced = self.prompt.reduced(assignment, method)
            self.spans = [reduced] * len(self.spans)
            self.block.trace.reduced_input(reduced.layout, assignment)
            return apply(hidden_BTD, assignment)

    def _reduce(self, method: MergeMethod, state: LayerState, attended: Attended, cache: Any) -> Attended:
        """Let the method decide, move the tokens, and note what the layers after this one will see."""
        assignment = method.assign(state)
        span = self.spans[state.layer].reduced(assignment, method)
        self.spans[state.layer + 1 :] = [span] * (len(self.spans) - state.layer - 1)
        self.block.trace.reduced(state.layer, span.layout, assignment)
        if method.earlier_caches and cache is not None:
            for earlier in range(state.layer + 1):
                shorten(cache, earlier, assignment)
                self.cached[earlier] = span.key_mask
            self.block.trace.reduced_caches(state.layer, span.layout)
        return attended.moved(lambda x_BTD: apply(x_BTD, assignment))

    def _evict(self, method: CacheMethod, state: LayerState, cache: Any) -> None:
        """Let the method shorten what this layer has cached, now and, if it is of that kind, at every later step."""
        index, assignment = state.layer, method.assign(state)
        shorten(cache, index, assignment, method.assign_values(state, assignment))
        tokens = state.tokens_left(state.n_remove)
        if method.uneven:
            self.cached[index] = store_unevenly(cache, state, assignment)
        else:
            self.cached[index] = self.key_mask(tokens)
        if method.evicts_while_decoding:
            score_BGT = method.score(state)
            removable_BGT = method.candidates(state)[:, None].expand_as(score_BGT)
            cache.layers[index] = EvictingLayer(
                cache.layers[index],
                move(score_BGT[..., None], assignment)[..., 0],
                move(removable_BGT[..., None], assignment)[..., 0],
                tokens=tokens,
                newest=method.windows(state),
                limited=tuple(map(bool, state.n_remove)),
            )
        self.block.trace.evicted(index, tokens, assignment)

    def key_mask(self, tokens: tuple[int, ...]) -> KeyMask:
        """One object for all layers that hold equally many tokens of each row, so that they share their masks."""
        return next((mask for mask in self.cached if mask.tokens == tokens), None) or KeyMask(tokens)

    def _flops(self) -> PaperFlops:
        """The papers' formula for the cost of a prompt in this decoder."""
        config = self.block.decoder.config
        names = ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
        width = next((value for name in names if isinstance(value := getattr(config, name, None), int)), None)
        return PaperFlops(config.hidden_size, width or 4 * config.hidden_size)

    def _parts(self, hidden_BTD: Tensor) -> DecoderParts:
        """The weights and functions of the decoder that methods may use."""

        def future_rotary(count: int) -> Rotary:
            decoder = self.block.decoder
            if self.positions is None or not self.block.halves[0].rotated:
                raise UnsupportedError(
                    f"this method needs the rotary positions of tokens to come, and {type(decoder).__name__} does not "
                    "show them (learned or relative positions, or a rotation of another kind); choose another method"
                )
            ahead = self.positions[..., -1:] + torch.arange(1, count + 1, device=self.positions.device)
            return _one_axis(decoder.rotary_emb.forward(torch.ones(1, device=hidden_BTD.device), ahead))

        return DecoderParts(
            projections=lambda: query_and_key_weights(self.block.attention(0), hidden_BTD),
            head_dim=self.block.halves[0].head_dim,
            final_norm=self.block.final_norm or nn.Identity(),
            future_rotary=future_rotary,
        )


def check_window(window: int | None, tokens: int) -> None:
    """Refuse methods where attention does not reach back to the first of `tokens` tokens: they would see more."""
    if window is not None and tokens > window:
        raise UnsupportedError(
            f"merging() does not reduce in a layer of sliding-window attention beyond its window: {tokens} tokens, "
            f"window {window}; shorten the prompt, choose merge.layer among the layers of full attention, or load the "
            "model with sliding_window=None"
        )


def _rotary(halves: Halves, tables: Any, keys_BGTd: Tensor) -> Rotary | None:
    """The rotation of a layer's queries and keys; None where it is of another kind."""
    if not halves.rotated:
        return None
    if tables is not None:
        return _one_axis(tables)
    cos = keys_BGTd.new_ones(1, *keys_BGTd.shape[2:])
    return cos, torch.zeros_like(cos)


def _one_axis(rotary: Rotary) -> Rotary:
    """(1 or B, T, d) tables. Where positions have three axes, text and audio have the same on each."""
    cos, sin = (table[0] if table.ndim == 4 else table for table in rotary)
    return cos, sin
