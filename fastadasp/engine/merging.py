"""Token reduction inside any transformers `generate()`: `merging(model, method, audio_mask)`.

For the time of a `with` block the `forward` of each decoder layer is replaced, from the first one concerned on. While
the prompt is read, methods decide at three sites: before layer 0 (`input`), between a layer's attention and MLP
(`decoder`), and on what a layer has cached (`cache`); tokens are moved, and later layers get masks and rotary positions
of their own. Decoding goes on with caches of unlike lengths, so each layer again gets its own mask.

B rows (left-padded; beams expanded), T columns, S columns after a reduction, D hidden channels, d channels per head.
"""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fastadasp.engine.cache import EvictingLayer, check_cache, move, shorten
from fastadasp.engine.decoder import AttentionTap, Layer, attend, check_layer, check_window, feed_forward, find_decoder
from fastadasp.engine.encoder import EncoderTap
from fastadasp.engine.patch import only_user_of, replaced_forward
from fastadasp.engine.projection import head_output
from fastadasp.engine.ragged import check_masks_by_head, store_unevenly
from fastadasp.engine.span import KeyMask, Span
from fastadasp.engine.trace import MergeTrace
from fastadasp.ops.assignment import apply
from fastadasp.reduction.cache_method import CacheMethod
from fastadasp.reduction.flops import paper_flops
from fastadasp.reduction.method import MergeMethod
from fastadasp.reduction.stages import Stages
from fastadasp.reduction.state import DecoderParts, InputState, LayerState, Rotary

__all__ = ["MergeTrace", "merging"]


class Loaded(Protocol):
    """What holds a model of transformers, such as what `fastadasp.load` returns."""

    @property
    def transformers_model(self) -> PreTrainedModel:
        """The model."""


@contextmanager
def merging(
    model: PreTrainedModel | Loaded, method: MergeMethod, audio_mask: Tensor, *, keep_assignments: bool = False
) -> Iterator[MergeTrace]:
    """Reduce audio tokens with `method` in every prompt that `model` reads inside the `with` block.

    model: a causal LM or SpeechLM of transformers whose decoder layers are standard (see `fastadasp.engine.decoder`),
    or what `fastadasp.load` has returned.
    audio_mask: (B, T) bool, which tokens of the left-padded prompt are audio, as the decoder sees it; beams and
    returned sequences are expanded inside. Several runs per row are legal, so are rows without audio.
    keep_assignments: keep each layer's decision in `trace.assignments`.

    Any `generate()` will do (greedy, beams, sampling, prompt look-up, streaming), several too if their prompts fit the
    mask; so will a plain forward pass, whose output has one position for each token left. The model is as before
    afterwards, also after an exception. A cache filled inside is of no use outside.

    Raises ValueError for a model, cache, mask or layer that cannot work, RuntimeError for a second block on one model.
    """
    reading: Any = getattr(model, "transformers_model", model)
    decoder = find_decoder(reading)
    run = _Run(reading, decoder, method, _checked_mask(audio_mask), MergeTrace(keep_assignments))
    with only_user_of(decoder), ExitStack() as undo:
        for hook in (
            decoder.register_forward_pre_hook(run.begin, with_kwargs=True),
            decoder.register_forward_hook(run.end),
            decoder.rotary_emb.register_forward_pre_hook(run.note_positions, with_kwargs=True),
        ):
            undo.callback(hook.remove)
        if run.stages.input is not None:
            undo.enter_context(run.encoder.listening())
        for index in run.stages.patched:
            layer = decoder.layers[index]
            check_layer(layer, proportional=run.stages.proportional)
            if run.stages.cache is not None and run.stages.cache.uneven:
                check_masks_by_head(layer)
            undo.enter_context(replaced_forward(layer, partial(run.layer_forward, index, layer)))
        yield run.trace


class _Run:
    """One `with` block: what was asked for, and where the latest prompt stands."""

    def __init__(
        self, model: PreTrainedModel, decoder: Any, method: MergeMethod, audio_mask_BT: Tensor, trace: MergeTrace
    ) -> None:
        self.decoder, self.audio_mask_BT, self.trace = decoder, audio_mask_BT, trace
        self.stages = Stages.of(method, len(decoder.layers))
        self.encoder = EncoderTap(model)
        self.in_prefill = False
        self.cache: weakref.ref[Any] | None = None
        self.read = 0
        """Tokens that the decoder has read, padding and removed ones included: the next one's position."""
        self.whole = 0
        """Tokens of the prompt; more than the first forward pass reads where a model reads its prompts in parts."""
        self.spans: list[Span] = []
        """By layer: its input in the latest prefill."""
        self.cached: list[KeyMask] = []
        """By layer: what it has cached of the latest prompt."""

    def begin(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Forward pre-hook of the decoder: a new prompt, or a further step of the latest?"""
        cache = kwargs.get("past_key_values")
        embeddings = kwargs.get("inputs_embeds")
        tokens = embeddings if embeddings is not None else kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        self.in_prefill = cache is None or cache.get_seq_length() == 0
        if self.in_prefill:
            if self.stages.patched:
                check_cache(cache)
            self.whole = kwargs.pop("prompt_length", tokens.shape[1])
            self._begin_prompt(tokens, kwargs.get("attention_mask"))
        elif self.cache is None or self.cache() is not cache:
            raise ValueError(
                "merging() met a cache that was not filled inside it; start generate() with an empty cache"
            )
        elif kwargs.get("position_ids") is None and self.cached[0] is not self.prompt.key_mask:
            # Transformers would count the entries of layer 0, which has lost some.
            first, last = self.read, self.read + tokens.shape[1]
            kwargs["position_ids"] = torch.arange(first, last, device=tokens.device)[None]
        self.read += tokens.shape[1]
        return args, kwargs

    def _begin_prompt(self, prompt: Tensor, real_BT: Tensor | None) -> None:
        rows, length = prompt.shape[:2]
        mask_rows, mask_length = self.audio_mask_BT.shape
        if self.whole != mask_length or rows % mask_rows:
            raise ValueError(
                f"audio_mask is {mask_rows} x {mask_length}, but the decoder reads a prompt of {rows} x {self.whole}: "
                "lengths must be equal, rows a multiple (beams). The mask is over the prompt with audio placeholders "
                "expanded; generate() must read it in one piece (no prefill_chunk_size) and with a cache "
                "(use_cache=True)"
            )
        if real_BT is not None and real_BT.shape != (rows, length):
            raise ValueError(f"attention_mask must be 2-D of shape {(rows, length)}, got {tuple(real_BT.shape)}")
        audio_BT = self.audio_mask_BT[:, :length].to(prompt.device).repeat_interleave(rows // mask_rows, 0)
        self.prompt = Span.of(audio_BT, real_BT)
        self.amounts = self.stages.for_rows(self.prompt.layout, self._flops)
        layers = len(self.decoder.layers)
        self.spans, self.cached = [self.prompt] * layers, [self.prompt.key_mask] * layers
        self.read = 0
        self.trace.start(self.prompt.layout, rows // mask_rows, layers)

    def end(self, _: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """Forward hook of the decoder, which makes a cache of its own where it was given none."""
        if self.in_prefill:
            cache = getattr(output, "past_key_values", None)
            self.cache = None if cache is None else weakref.ref(cache)
            self.trace.finish(cache, [mask.bias_BT for mask in self.cached])
        elif self.read <= self.whole:
            self.trace.read_on(output.past_key_values, output.last_hidden_state.shape[1])

    def note_positions(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Forward pre-hook of the rotary embedding: the positions of this forward pass, (..., T)."""
        self.positions: Tensor = kwargs["position_ids"] if "position_ids" in kwargs else args[1]

    def layer_forward(self, index: int, layer: Layer, hidden_states: Tensor, **inputs: Any) -> Tensor:
        """Replaces the `forward` of a decoder layer; `inputs` are right for a prompt that was never reduced."""
        cache = inputs.get("past_key_values")
        keys = hidden_states.shape[1] + (0 if cache is None else cache.get_seq_length(index))
        check_window(layer, keys)
        read = self._read_prompt if self.in_prefill else partial(self._read_on, keys)
        return feed_forward(layer, read(index, layer, hidden_states, inputs))

    def _read_on(self, keys: int, index: int, layer: Layer, hidden_BQD: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Attention after the prompt. The mask that transformers built follows layer 0 as it should have been."""
        stored = inputs["past_key_values"].layers[index]
        if isinstance(stored, EvictingLayer):
            self.cached[index] = self._key_mask(stored.tokens)  # whoever gave it back its tokens reads on from these
        if self.cached[index] is not self.prompt.key_mask or self.cached[0] is not self.prompt.key_mask:
            mask = self.cached[index].build(layer, hidden_BQD, keys)
            inputs |= {"attention_mask": mask, "position_ids": None}
        if not isinstance(stored, EvictingLayer):
            return attend(layer, hidden_BQD, **inputs)
        with AttentionTap(layer.self_attn) as tap:
            hidden_BQD = attend(layer, hidden_BQD, **inputs)
        stored.step(tap.query_BHTd, tap.scaling)
        return hidden_BQD

    def _read_prompt(self, index: int, layer: Layer, hidden_BTD: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Attention over the prompt, and what the methods at this layer do before and after it."""
        if index == 0 and self.stages.input is not None:
            hidden_BTD = self._reduce_input(self.stages.input, hidden_BTD, inputs["position_embeddings"])
        span = self.spans[index]
        self.cached[index] = span.key_mask
        inputs |= span.inputs(layer, hidden_BTD)
        entered = [earlier.layout.audio for earlier in self.spans[: index + 1]]
        removal = self.amounts.removal(index, entered)
        evictions = self.amounts.evictions(index, span.layout) if inputs.get("past_key_values") is not None else ()
        if removal is None and not any(evictions):
            return attend(layer, hidden_BTD, **inputs)
        with AttentionTap(layer.self_attn) as tap:
            hidden_BTD = attend(layer, hidden_BTD, **inputs)
        state = LayerState(
            **span.state(hidden_BTD.device),
            layer=index,
            budget=removal or (),
            affordable=self.amounts.affordable(index, entered),
            hidden_BTD=hidden_BTD,
            queries_BHTd=tap.query_BHTd,
            keys_BGTd=tap.key_BGTd,
            values_BGTd=tap.value_BGTd,
            scaling=layer.self_attn.scaling,
            lse_BHT=tap.lse_BHT,
            rotary=_one_axis(inputs["position_embeddings"]),
            head_output=partial(head_output, layer.self_attn),
            decoder=self._parts(hidden_BTD.device),
        )
        if self.stages.cache is not None and any(evictions):
            self._evict(self.stages.cache, replace(state, budget=evictions), inputs["past_key_values"])
        if self.stages.decoder is None or removal is None:
            return hidden_BTD
        return self._reduce(self.stages.decoder, state, span, inputs)

    def _reduce_input(self, method: MergeMethod, hidden_BTD: Tensor, rotary: Rotary) -> Tensor:
        """Let the method shorten the prompt before layer 0."""
        budget = self.amounts.input_removal(self.prompt.layout.audio)
        if budget is None:
            return hidden_BTD
        span = self.prompt.state(hidden_BTD.device)
        state = InputState(
            **span,
            layer=0,
            budget=budget,
            hidden_BTD=hidden_BTD,
            decoder=self._parts(hidden_BTD.device),
            attend_encoder=partial(self.encoder.read, len(hidden_BTD) // len(self.audio_mask_BT), span["audio_BT"]),
        )
        assignment = method.assign(state)
        reduced = self.prompt.reduced(assignment, method, rotary)
        self.spans = [reduced] * len(self.spans)
        self.trace.reduced_input(reduced.layout, assignment)
        return apply(hidden_BTD, assignment)

    def _reduce(self, method: MergeMethod, state: LayerState, span: Span, inputs: dict[str, Any]) -> Tensor:
        """Let the method decide, move the tokens, and note what the layers after this one will see."""
        assignment = method.assign(state)
        span = span.reduced(assignment, method, inputs["position_embeddings"])
        self.spans[state.layer + 1 :] = [span] * (len(self.spans) - state.layer - 1)
        self.trace.reduced(state.layer, span.layout, assignment)
        if method.earlier_caches and inputs.get("past_key_values") is not None:
            for earlier in range(state.layer + 1):
                shorten(inputs["past_key_values"], earlier, assignment)
                self.cached[earlier] = span.key_mask
            self.trace.reduced_caches(state.layer, span.layout)
        return apply(state.hidden_BTD, assignment)

    def _evict(self, method: CacheMethod, state: LayerState, cache: Any) -> None:
        """Let the method shorten what this layer has cached, now and, if it is of that kind, at every later step."""
        index, assignment = state.layer, method.assign(state)
        shorten(cache, index, assignment, method.assign_values(state, assignment))
        tokens = state.left(state.budget)
        if method.uneven:
            self.cached[index] = store_unevenly(cache, state, assignment)
        else:
            self.cached[index] = self._key_mask(tokens)
        if method.evicts_while_decoding:
            score_BGT = method.score(state)
            removable_BGT = method.candidates(state)[:, None].expand_as(score_BGT)
            cache.layers[index] = EvictingLayer(
                cache.layers[index],
                move(score_BGT[..., None], assignment)[..., 0],
                move(removable_BGT[..., None], assignment)[..., 0],
                tokens=tokens,
                newest=method.windows(state),
                limited=tuple(map(bool, state.budget)),
            )
        self.trace.evicted(index, tokens, assignment)

    def _flops(self, tokens: Sequence[float]) -> float:
        """Cost of a prompt by the papers' formula, from its L + 1 token counts."""
        config = self.decoder.config
        return paper_flops(tokens[:-1], config.hidden_size, config.intermediate_size)

    def _key_mask(self, tokens: tuple[int, ...]) -> KeyMask:
        """One object for all layers that hold equally many tokens of each row, so that they share their masks."""
        return next((mask for mask in self.cached if mask.tokens == tokens), None) or KeyMask(tokens)

    def _parts(self, device: torch.device) -> DecoderParts:
        """What methods may use of the decoder's weights."""

        def future_rotary(count: int) -> Rotary:
            ahead = torch.arange(1, count + 1, device=self.positions.device)
            cos, sin = self.decoder.rotary_emb.forward(torch.ones(1, device=device), self.positions[..., -1:] + ahead)
            return _one_axis((cos, sin))

        attention = self.decoder.layers[0].self_attn
        return DecoderParts(
            query_weight_ED=attention.q_proj.weight,
            key_weight_ED=attention.k_proj.weight,
            head_dim=attention.head_dim,
            final_norm=self.decoder.norm,
            future_rotary=future_rotary,
        )


def _one_axis(rotary: Rotary) -> Rotary:
    """(1 or B, T, d) tables. Where positions have three axes, text and audio have the same on each."""
    cos, sin = (table[0] if table.ndim == 4 else table for table in rotary)
    return cos, sin


def _checked_mask(audio_mask: Tensor) -> Tensor:
    if audio_mask.ndim != 2 or audio_mask.dtype != torch.bool:
        raise ValueError(
            f"audio_mask must be a bool tensor of (batch, prompt length), got {audio_mask.dtype} of "
            f"{tuple(audio_mask.shape)}; for example inputs.input_ids == model.config.audio_token_id"
        )
    return audio_mask
