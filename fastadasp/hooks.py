"""Token reduction inside any transformers `generate()`: `merging(model, method, audio_mask)`.

From the first reducing layer on, each decoder layer's `forward` is replaced for the time of a `with` block. In prefill
it runs attention, lets the method decide, moves tokens, and runs the MLP on what is left; later layers get their own
mask and rotary positions. Decoding goes on with caches of unlike lengths, so each layer again gets its own mask.

B rows (left-padded; beams expanded), T columns, S columns after a reduction, D hidden channels, d channels per head.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel

from fastadasp.decoder import AttentionTap, Layer, attend, attention_mask, check_layer, feed_forward, find_decoder
from fastadasp.merge.assignment import Assignment, apply
from fastadasp.merge.base import MergeMethod, Positions
from fastadasp.merge.layout import Layout
from fastadasp.merge.schedule import Plan
from fastadasp.merge.state import DecoderParts, LayerState, Rotary

_active: "weakref.WeakSet[nn.Module]" = weakref.WeakSet()
_active_lock = threading.Lock()


class MergeTrace:
    """What the latest prefill inside a `merging()` block did. Rows are those of `audio_mask`: beams share theirs."""

    def __init__(self, keep_assignments: bool = False) -> None:
        self.keep_assignments = keep_assignments
        self.assignments: dict[int, Assignment] = {}
        """Decisions by layer, beams expanded; only with `keep_assignments=True`."""
        self._layouts: list[Layout] = []
        self._beams = 1

    @property
    def audio_tokens(self) -> Tensor:
        """(L, B) int64: audio tokens left after each layer, so `audio_tokens[layer]` is (B,)."""
        return self._per_layer([layout.audio for layout in self._layouts])

    @property
    def tokens(self) -> Tensor:
        """(L, B) int64: all tokens left after each layer, padding not counted."""
        return self._per_layer([layout.tokens for layout in self._layouts])

    def _per_layer(self, counts: list[tuple[int, ...]]) -> Tensor:
        if not counts:
            raise RuntimeError("no prompt has run inside merging() yet; call generate() or the model first")
        return torch.tensor(counts)[:, :: self._beams]

    def _start(self, layout: Layout, beams: int, layers: int) -> None:
        self._layouts, self._beams = [layout] * layers, beams
        self.assignments.clear()

    def _reduced(self, layer: int, layout: Layout, assignment: Assignment) -> None:
        self._layouts[layer:] = [layout] * (len(self._layouts) - layer)
        if self.keep_assignments:
            self.assignments[layer] = assignment


@contextmanager
def merging(
    model: PreTrainedModel, method: MergeMethod, audio_mask: Tensor, *, keep_assignments: bool = False
) -> Iterator[MergeTrace]:
    """Reduce audio tokens with `method` in every prompt that `model` reads inside the `with` block.

    model: a causal LM or SpeechLM of transformers whose decoder layers are standard (see `fastadasp.decoder`).
    audio_mask: (B, T) bool, which tokens of the left-padded prompt are audio, as the decoder sees it; beams and
    returned sequences are expanded inside. Several runs per row are legal, so are rows without audio.
    keep_assignments: keep each layer's decision in `trace.assignments`.

    Any `generate()` will do (greedy, beams, sampling, prompt look-up, streaming), several too if their prompts fit the
    mask; so will a plain forward pass, whose output has one position for each token left. The model is as before
    afterwards, also after an exception. A cache filled inside is of no use outside.

    Raises ValueError for a model, cache, mask or layer that cannot work, RuntimeError for a second block on one model.
    """
    decoder = find_decoder(model)
    run = _Run(decoder, method, _checked_mask(audio_mask), MergeTrace(keep_assignments))
    with _only_user_of(decoder), ExitStack() as undo:
        hook = decoder.register_forward_pre_hook(run.begin, with_kwargs=True)
        undo.callback(hook.remove)
        hook = decoder.rotary_emb.register_forward_pre_hook(run.note_positions, with_kwargs=True)
        undo.callback(hook.remove)
        for index in run.patched_layers:
            layer = decoder.layers[index]
            check_layer(layer)
            undo.enter_context(_replaced_forward(layer, partial(run.layer_forward, index, layer)))
        yield run.trace


@dataclass(eq=False)
class _Span:
    """The prompt as some consecutive layers see it: as it came, or after a reduction."""

    layout: Layout
    audio_BT: Tensor
    real_BT: Tensor | None
    size_BT: Tensor
    """float32: tokens of the prompt that each token stands for."""
    rotary: Rotary | None = None
    """None for the prompt as it came: there, transformers' own mask and positions are right."""
    _mask: tuple[int, int, Tensor | None] | None = field(default=None, repr=False)

    def inputs(self, layer: Layer, hidden_BQD: Tensor, keys: int) -> dict[str, Any]:
        """The arguments of attention that differ from the unreduced prompt's: mask and, in prefill, positions."""
        changed: dict[str, Any] = {"attention_mask": self._mask_for(layer, hidden_BQD, keys), "position_ids": None}
        if self.rotary is not None and keys == self.layout.width:
            changed["position_embeddings"] = tuple(table.to(hidden_BQD.device) for table in self.rotary)
        return changed

    def _mask_for(self, layer: Layer, hidden_BQD: Tensor, keys: int) -> Tensor | None:
        """The mask over this span and what has been generated since, built once for all layers that share it."""
        queries = hidden_BQD.shape[1]
        if self._mask is None or self._mask[:2] != (queries, keys):
            real_BK = self.real_BT
            if real_BK is not None:
                real_BK = pad(real_BK.to(hidden_BQD.device), (0, keys - self.layout.width), value=True)
            self._mask = queries, keys, attention_mask(layer, real_BK, hidden_BQD, keys)
        mask = self._mask[2]
        return None if mask is None else mask.to(hidden_BQD.device)

    def reduced(self, assignment: Assignment, positions: Positions, rotary: Rotary) -> "_Span":
        """The span after `assignment`, `rotary` being the positions before it."""
        layout = self.layout.reduced(assignment.lengths)
        audio_BS = pad(self.audio_BT, (0, 1)).gather(1, assignment.first)
        if positions is Positions.packed:  # right-aligned: the last token of every row keeps its position
            cos, sin = (table[..., -layout.width :, :] for table in rotary)
        else:
            first_BS1 = assignment.first.clamp_max(self.layout.width - 1)[..., None]
            cos, sin = (torch.take_along_dim(table, first_BS1, -2) for table in rotary)
        size_BS = assignment.total(self.size_BT.to(audio_BS.device))
        return _Span(layout, audio_BS, layout.real(audio_BS.device), size_BS, (cos, sin))


class _Run:
    """One `with` block: what was asked for, and where the latest prompt stands."""

    def __init__(self, decoder: Any, method: MergeMethod, audio_mask_BT: Tensor, trace: MergeTrace) -> None:
        self.decoder, self.method, self.audio_mask_BT, self.trace = decoder, method, audio_mask_BT, trace
        layers = len(decoder.layers)
        self.plan = Plan.of(method, layers)
        self.patched_layers = range(layers if self.plan.first is None else self.plan.first, layers)
        self.in_prefill = False
        self.cache: weakref.ref[Any] | None = None
        self.spans: list[_Span] = []
        """By layer: its input in the latest prefill, which is also what it has cached of the prompt."""

    def begin(self, decoder: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Forward pre-hook of the decoder: a new prompt, or a further step of the latest?"""
        cache = kwargs.get("past_key_values")
        self.in_prefill = cache is None or cache.get_seq_length() == 0
        if self.in_prefill:
            if self.patched_layers and not isinstance(cache, DynamicCache | None):
                raise ValueError(
                    f"merging() shortens each layer's cache on its own; {type(cache).__name__} cannot, use DynamicCache"
                )
            embeddings = kwargs.get("inputs_embeds")
            prompt = embeddings if embeddings is not None else kwargs["input_ids"] if "input_ids" in kwargs else args[0]
            self._begin_prompt(prompt, kwargs.get("attention_mask"))
            self.cache = None if cache is None else weakref.ref(cache)
        elif self.cache is None or self.cache() is not cache:
            raise ValueError(
                "merging() met a cache that was not filled inside it; start generate() with an empty cache"
            )

    def note_positions(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Forward pre-hook of the rotary embedding: the positions of this forward pass, (..., T)."""
        self.positions: Tensor = kwargs["position_ids"] if "position_ids" in kwargs else args[1]

    def _begin_prompt(self, prompt: Tensor, real_BT: Tensor | None) -> None:
        rows, length = prompt.shape[:2]
        mask_rows, mask_length = self.audio_mask_BT.shape
        if length != mask_length or rows % mask_rows:
            raise ValueError(
                f"audio_mask is {mask_rows} x {mask_length}, but the decoder reads a prompt of {rows} x {length}: "
                "lengths must be equal, rows a multiple (beams). The mask is over the prompt with audio placeholders "
                "expanded; generate() must read it in one piece (no prefill_chunk_size), with a cache (use_cache=True)"
            )
        if real_BT is not None and real_BT.shape != (rows, length):
            raise ValueError(f"attention_mask must be 2-D of shape {(rows, length)}, got {tuple(real_BT.shape)}")
        audio_BT = self.audio_mask_BT.to(prompt.device).repeat_interleave(rows // mask_rows, 0)
        layout = Layout.of(audio_BT, real_BT)
        span = _Span(layout, audio_BT, layout.real(audio_BT.device), torch.ones(audio_BT.shape, device=audio_BT.device))
        self.spans = [span] * len(self.plan.ratios)
        self.trace._start(layout, rows // mask_rows, len(self.plan.ratios))

    def layer_forward(self, index: int, layer: Layer, hidden_states: Tensor, **inputs: Any) -> Tensor:
        """Replaces the `forward` of a decoder layer; `inputs` are right for a prompt that was never reduced."""
        span, cache = self.spans[index], inputs.get("past_key_values")
        keys = hidden_states.shape[1] + (0 if cache is None else cache.get_seq_length(index))
        _check_window(layer, keys)
        if span.rotary is not None:
            inputs |= span.inputs(layer, hidden_states, keys)
        budget = self._budget(index, span) if self.in_prefill else ()
        if not any(budget):
            return feed_forward(layer, attend(layer, hidden_states, **inputs))
        with AttentionTap(layer.self_attn) as tap:
            hidden_states = attend(layer, hidden_states, **inputs)
        state = LayerState(
            layer=index,
            layout=span.layout,
            audio_BT=span.audio_BT.to(hidden_states.device),
            real_BT=None if span.real_BT is None else span.real_BT.to(hidden_states.device),
            size_BT=span.size_BT.to(hidden_states.device),
            budget=budget,
            hidden_BTD=hidden_states,
            queries_BHTd=tap.query_BHTd,
            keys_BGTd=tap.key_BGTd,
            values_BGTd=tap.value_BGTd,
            scaling=layer.self_attn.scaling,
            rotary=inputs["position_embeddings"],
            decoder=self._parts(hidden_states.device),
        )
        return feed_forward(layer, self._reduce(state, span, inputs["position_embeddings"]))

    def _parts(self, device: torch.device) -> DecoderParts:
        """What methods may use of the decoder's weights."""

        def future_rotary(count: int) -> Rotary:
            ahead = torch.arange(1, count + 1, device=self.positions.device)
            cos, sin = self.decoder.rotary_emb.forward(torch.ones(1, device=device), self.positions[..., -1:] + ahead)
            return cos, sin

        attention = self.decoder.layers[0].self_attn
        return DecoderParts(
            query_weight_ED=attention.q_proj.weight,
            key_weight_ED=attention.k_proj.weight,
            head_dim=attention.head_dim,
            final_norm=self.decoder.norm,
            future_rotary=future_rotary,
        )

    def _budget(self, index: int, span: _Span) -> tuple[int, ...]:
        """Audio tokens to remove from each row at this layer."""
        prompt = self.spans[0].layout.audio
        return tuple(map(partial(self.plan.removal, index), prompt, span.layout.audio))

    def _reduce(self, state: LayerState, span: _Span, rotary: Rotary) -> Tensor:
        """Let the method decide, move the tokens, and note what the layers after this one will see."""
        assignment = self.method.assign(state)
        span = span.reduced(assignment, self.method.positions, rotary)
        self.spans[state.layer + 1 :] = [span] * (len(self.spans) - state.layer - 1)
        self.trace._reduced(state.layer, span.layout, assignment)
        return apply(state.hidden_BTD, assignment)


def _checked_mask(audio_mask: Tensor) -> Tensor:
    if audio_mask.ndim != 2 or audio_mask.dtype != torch.bool:
        raise ValueError(
            f"audio_mask must be a bool tensor of (batch, prompt length), got {audio_mask.dtype} of "
            f"{tuple(audio_mask.shape)}; for example inputs.input_ids == model.config.audio_token_id"
        )
    return audio_mask


def _check_window(layer: Layer, keys: int) -> None:
    window = getattr(layer.self_attn, "sliding_window", None)
    if window is not None and keys > window:
        raise ValueError(
            f"merging() does not support sliding-window attention beyond its window: {keys} tokens, window {window}; "
            "shorten the prompt or the answer, or load the model with sliding_window=None"
        )


@contextmanager
def _only_user_of(decoder: nn.Module) -> Iterator[None]:
    with _active_lock:
        if decoder in _active:
            raise RuntimeError(
                f"this {type(decoder).__name__} is already inside a merging() block; blocks on one model can neither "
                "nest nor run at the same time"
            )
        _active.add(decoder)
    try:
        yield
    finally:
        with _active_lock:
            _active.discard(decoder)


@contextmanager
def _replaced_forward(layer: Layer, forward: Callable[..., Tensor]) -> Iterator[None]:
    """`layer.forward` is `forward` inside. Where accelerate placed the layer on a device, its hook stays around it."""
    name = "_old_forward" if hasattr(layer, "_hf_hook") else "forward"
    before = layer.__dict__.get(name)
    setattr(layer, name, forward)
    try:
        yield
    finally:
        if before is None:
            delattr(layer, name)
        else:
            setattr(layer, name, before)
