"""The decoder inside a `with merging(...)` block: which forward pass reads a prompt, which goes on, whose call it is.

B rows (left-padded; beams expanded), T columns, Q new tokens, D hidden channels.
"""

import inspect
import threading
import weakref
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from fastadasp.engine.cache import EvictingLayer, cache_of, check_cache, whole_layers
from fastadasp.engine.callers import Callers
from fastadasp.engine.decoding_step import read_on
from fastadasp.engine.halves import Forward, named_inputs, uncompiled
from fastadasp.engine.masks import padding_of
from fastadasp.engine.prefill import Block, Prefill
from fastadasp.engine.span import Span


class Session:
    """The state of a block's latest prompt: how much of it was read, and in which cache."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.prefill: Prefill | None = None
        self.guessing = False
        """Whether candidates may follow the prompt in the first forward pass (assisted and prompt look-up decoding)."""
        self._in_prefill = False
        self._cache: weakref.ref[Any] | None = None
        self._first = self._whole = 0
        """Tokens that the prompt's first forward pass read, and all of the prompt's: more where a model reads it in
        parts, and says so by the argument `prompt_length`."""
        self._filled = 0
        """Entries of layer 0's cache after the prompt, padding among them."""
        self._cut = 0
        """Columns that are padding in every row, which the decoder does not see."""
        self.callers = Callers()
        self._busy: int | None = None

    @uncompiled
    def decoder_forward(self, forward: Forward, *args: Any, **kwargs: Any) -> Any:
        """Replaces the decoder's `forward`."""
        if not self.callers.served():
            return self._of_another(forward, args, kwargs)
        if self._busy not in (None, threading.get_ident()):
            raise RuntimeError(
                "two threads use one merging() block at the same time; open a block in each thread, on a model of its "
                "own, or let one thread wait for the other"
            )
        inputs = _by_name(forward, args, kwargs)
        before, self._busy = self._busy, threading.get_ident()
        try:
            cache = inputs.get("past_key_values")
            if cache is not None and cache.get_seq_length() > 0:
                return self._go_on(forward, inputs, cache)
            return self._begin(forward, inputs)
        finally:
            self._busy = before

    def _of_another(self, forward: Forward, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a thread that the block does not serve: it may finish an answer of its own, and no more."""
        cache = _by_name(forward, args, kwargs).get("past_key_values")
        if cache is None or cache.get_seq_length() == 0 or (self._cache is not None and self._cache() is cache):
            self.callers.refuse_prompt()
        return forward(*args, **kwargs)

    def _begin(self, forward: Forward, inputs: dict[str, Any]) -> Any:
        """A new prompt, and perhaps candidates for what follows."""
        rows, tokens = _tokens(inputs).shape[:2]
        if self.block.stages.patched:
            check_cache(inputs.get("past_key_values"))
            inputs["attention_mask"] = padding_of(inputs.get("attention_mask"), rows, tokens)
        prompt = self.block.audio_BT.shape[1]
        if not self.guessing or tokens <= prompt or inputs.get("past_key_values") is None:
            return self._read_prompt(forward, inputs)
        first = self._read_prompt(forward, _columns(inputs, 0, prompt) | _mask(inputs, prompt))
        rest = self.decoder_forward(forward, **_columns(inputs, prompt, tokens) | _mask(inputs, tokens))
        rest.last_hidden_state = torch.cat((first.last_hidden_state, rest.last_hidden_state), 1)
        return rest

    def _read_prompt(self, forward: Forward, inputs: dict[str, Any]) -> Any:
        self._use_whole_caches(inputs)
        self._first = _tokens(inputs).shape[1]
        self._whole = inputs.get("prompt_length", self._first)
        audio_BT, real_BT = self._masks(_tokens(inputs), inputs.get("attention_mask"))
        self._cut = self._common_padding(audio_BT, real_BT)
        if self._cut:
            inputs = _columns(inputs, self._cut, audio_BT.shape[1])
            audio_BT, real_BT = audio_BT[:, self._cut :], None if real_BT is None else real_BT[:, self._cut :]
            inputs["attention_mask"] = inputs["attention_mask"][:, self._cut :]
        self.prefill = Prefill(self.block, Span.of(audio_BT, real_BT), len(audio_BT))
        self._in_prefill = True
        try:
            output = forward(**inputs)
        finally:
            self._in_prefill = False
        if self.prefill.refilled:
            output.last_hidden_state = output.last_hidden_state[:, self.prefill.refilled :]
        cache = getattr(output, "past_key_values", None)
        self._cache = None if cache is None else weakref.ref(cache)
        self.prefill.masks.settle()
        self.block.trace.finish(cache, [mask.bias_BT for mask in self.prefill.cached])
        self._filled = 0 if cache is None else cache.get_seq_length()
        return output

    def _common_padding(self, audio_BT: Tensor, real_BT: Tensor | None) -> int:
        """How many columns at the left are padding in every row; 0 where some of them are called audio."""
        if real_BT is None or not self.block.stages.patched:
            return 0
        used_T = (real_BT.bool() | audio_BT).any(0)
        return int(used_T.long().argmax())

    def _masks(self, prompt: Tensor, real_BT: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The audio mask of each row, and what is no padding; ValueError where they do not fit the prompt."""
        rows, length = prompt.shape[:2]
        mask_rows, mask_length = self.block.audio_BT.shape
        if self._whole != mask_length or rows % mask_rows:
            raise ValueError(
                f"audio_mask is {mask_rows} x {mask_length}, but the decoder reads a prompt of {rows} x {self._whole}: "
                "lengths must be equal, rows a multiple (beams). The mask is over the prompt with audio placeholders "
                "expanded; generate() must read it in one piece (no prefill_chunk_size) and with a cache "
                "(use_cache=True, and no gradient checkpointing in training mode, which turns the cache off)"
            )
        if not isinstance(real_BT, Tensor | None) or (real_BT is not None and real_BT.ndim != 2):
            real_BT = None  # not of the usual kind, and nothing is reduced
        if real_BT is not None and real_BT.shape != (rows, length):
            raise ValueError(f"attention_mask must be 2-D of shape {(rows, length)}, got {tuple(real_BT.shape)}")
        audio_BT = self.block.audio_BT[:, :length].to(prompt.device).repeat_interleave(rows // mask_rows, 0)
        return audio_BT, real_BT

    def _use_whole_caches(self, inputs: dict[str, Any]) -> None:
        """Caches that forget what leaves a sliding window cannot be shortened otherwise; masks know the window too."""
        windowed = any(self.block.halves[index].windowed for index in self.block.stages.patched)
        if not windowed:
            return
        cache, wanted = inputs.get("past_key_values"), inputs.get("use_cache")
        if cache is None and (self.block.decoder.config.use_cache if wanted is None else wanted):
            inputs["past_key_values"] = DynamicCache()
        elif cache is not None:
            cache.layers = whole_layers(cache)

    def _go_on(self, forward: Forward, inputs: dict[str, Any], cache: Any) -> Any:
        """Tokens after the prompt, each read once."""
        prefill = self.prefill
        if prefill is None or self._cache is None or self._cache() is not cache:
            raise ValueError(
                "merging() met a cache that was not filled inside it (or another thread has begun a prompt in the same "
                "block meanwhile); start generate() with an empty cache"
            )
        read, real = self._tokens_read(cache), inputs.get("attention_mask")
        if isinstance(real, Tensor) and real.ndim == 2:
            inputs = self._not_yet_read(inputs, real.shape[1], read)
            inputs["attention_mask"] = real[:, self._cut :] if self._cut else real
        else:
            if (whole := self._by_positions(prefill, inputs)) is not None:
                inputs = self._not_yet_read(inputs, whole, read)
            if real is not None and self.block.stages.patched:
                inputs["attention_mask"] = self._padding(prefill, read + _tokens(inputs).shape[1])
        count, device = _tokens(inputs).shape[1], _tokens(inputs).device
        if inputs.get("position_ids") is None and prefill.cached[0] is not prefill.prompt.key_mask:
            # Transformers would count the entries of layer 0, which has lost some.
            inputs["position_ids"] = torch.arange(read, read + count, device=device)[None]
        output = forward(**inputs)
        if read + count <= self._whole:
            self.block.trace.read_on(cache, count)
        return output

    def _tokens_read(self, cache: Any) -> int:
        """Tokens read so far, by the length of layer 0's cache, which candidates that were refused have left again."""
        first = cache.layers[0]
        evicts = isinstance(first, EvictingLayer)
        later = first.later if evicts else cache.get_seq_length() - self._filled
        return int(self._first + later)

    def _by_positions(self, prefill: Prefill, inputs: dict[str, Any]) -> int | None:
        """How many tokens there are with those given, by their positions, which leave padding out; None for one token.

        Transformers leaves out a mask that is true everywhere, and some models make masks for their decoder.
        """
        positions, several = inputs.get("position_ids"), _tokens(inputs).shape[1] > 1
        if not several or positions is None or positions.ndim != 2:
            return None
        return int(positions[0, -1]) + 1 + self._first - prefill.prompt.layout.tokens[0]

    def _padding(self, prefill: Prefill, tokens: int) -> Tensor | None:
        """(B, tokens) int64: the prompt's padding, columns that are cut left out, and what was read since."""
        real_BT = prefill.prompt.real_BT
        if real_BT is None:
            return None
        return torch.nn.functional.pad(real_BT.long(), (0, tokens - self._cut - real_BT.shape[1]), value=1)

    def _not_yet_read(self, inputs: dict[str, Any], whole: int, read: int) -> dict[str, Any]:
        """The arguments without tokens that were read before; a shortened cache makes transformers repeat some."""
        given, new = _tokens(inputs).shape[1], whole - read
        if given <= new:
            return inputs
        if new <= 0:
            raise ValueError(
                f"merging() was given {given} tokens after a prompt, but attention_mask covers {whole} tokens and "
                f"{read} were read; a further turn on the same cache must add tokens"
            )
        return _columns(inputs, given - new, given)

    @uncompiled
    def layer_forward(self, index: int, forward: Forward, *args: Any, **kwargs: Any) -> Any:
        """Replaces the `forward` of a decoder layer; what it is given is right for a prompt that was never reduced."""
        if not self.callers.served() or self.prefill is None:
            return forward(*args, **kwargs)
        hidden_BTD, inputs = named_inputs(forward, args, kwargs)
        if self._in_prefill or cache_of(inputs) is None:  # without a cache: recomputed for gradients
            return self.prefill.read(index, forward, hidden_BTD, dict(inputs))
        return read_on(self.prefill, index, forward, hidden_BTD, dict(inputs))

    def note_positions(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Forward pre-hook of the rotary embedding: the positions of this forward pass, (..., T)."""
        if self.callers.served() and self.prefill is not None:
            self.prefill.positions = kwargs["position_ids"] if "position_ids" in kwargs else args[1]

    def guess(self, forward: Forward, *args: Any, **kwargs: Any) -> Any:
        """Replaces what makes a generator of candidates: its first forward pass reads more than the prompt."""
        self.guessing = True
        return forward(*args, **kwargs)


def _by_name(forward: Forward, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    if not args:
        return dict(kwargs)
    inputs: dict[str, Any] = dict(inspect.signature(forward).bind(*args, **kwargs).arguments)
    inputs |= inputs.pop("kwargs", {})
    return inputs


def _tokens(inputs: dict[str, Any]) -> Tensor:
    """(B, Q) ids or (B, Q, D) embeddings."""
    embeddings = inputs.get("inputs_embeds")
    tokens: Tensor = inputs["input_ids"] if embeddings is None else embeddings
    return tokens


def _columns(inputs: dict[str, Any], first: int, last: int) -> dict[str, Any]:
    """The arguments of a decoder for some of the tokens alone; attention_mask stays as it is."""
    chosen = dict(inputs)
    for name in ("input_ids", "inputs_embeds"):
        if chosen.get(name) is not None:
            chosen[name] = chosen[name][:, first:last]
    if chosen.get("position_ids") is not None:
        chosen["position_ids"] = chosen["position_ids"][..., first:last]
    return chosen


def _mask(inputs: dict[str, Any], tokens: int) -> dict[str, Any]:
    mask = inputs.get("attention_mask")
    return {} if mask is None else {"attention_mask": mask[:, :tokens]}
