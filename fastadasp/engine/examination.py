"""Letting a decoder read a short random prompt, so that one layer of each of its kinds can be proved on the way."""

import inspect
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from fastadasp.engine.decoder import layers_of
from fastadasp.engine.facts import MARKER, ROWS, TOKENS, Call, empty_cache, short
from fastadasp.engine.halves import Layer, named_inputs, padded, uncompiled
from fastadasp.engine.patch import replaced_forward, running_forward
from fastadasp.engine.proof import Proof, prove

FEWER = 4
"""Tokens taken away after the last layer, to see whether the decoder goes on with those that are left."""


@dataclass(frozen=True, eq=False)
class Tail:
    """The part of a decoder after its last layer."""

    norm: nn.Module | None = None
    """The norm after the last layer; None where there is none."""
    whole: bool = False
    """Whether the decoder wants as many tokens there as before its first layer."""


_known: "weakref.WeakKeyDictionary[nn.Module, tuple[tuple[Any, ...], tuple[Proof, ...], str | None, bool]]" = (
    weakref.WeakKeyDictionary()
)


def examine(decoder: Any, device: torch.device, model: Any = None) -> tuple[tuple[Proof, ...], Tail]:
    """How each layer of `decoder` is cut in two, or why it cannot be cut. The result is kept until something changes.

    model: what holds the decoder; the short prompt goes through it where it is in shards (FSDP2), whose parts cannot
    run before the whole.
    """
    kinds = tuple(_kind(layer) for layer in layers_of(decoder))
    known = _known.get(decoder)
    if known is None or known[0] != kinds:
        root = model if isinstance(model, FSDPModule) else decoder
        known = (kinds, *_probe(decoder, kinds, device, root))
        _known[decoder] = known
    norm = None if known[2] is None else decoder.get_submodule(known[2])
    return known[1], Tail(norm, known[3])


def _kind(layer: nn.Module) -> tuple[Any, ...]:
    """Equal for layers that differ in their numbers alone."""
    parts: list[Any] = [getattr(layer, "attention_type", None), getattr(layer, "is_sliding", None)]
    for name, module in layer.named_modules():
        own = [vars(module).get(slot) for slot in ("forward", "_old_forward")]
        replaced = tuple((id(forward), _code(forward)) for forward in own if forward is not None)
        parts.append((name, type(module), type(module).forward, replaced, getattr(module, "sliding_window", None)))
        kernel = getattr(getattr(module, "config", None), "_attn_implementation", None)
        parts.append(kernel)
    return tuple(parts)


def _code(forward: Any) -> Any:
    """The code of a function, which distinguishes it from a later function at the same address; holds no model."""
    return getattr(getattr(forward, "__func__", getattr(forward, "func", forward)), "__code__", None)


def _probe(
    decoder: Any, kinds: tuple[Any, ...], device: torch.device, root: Any
) -> tuple[tuple[Proof, ...], str | None, bool]:
    """Let the decoder read a short random prompt, and prove one layer of each kind on the way.

    Returns also the name of what follows the layers, and whether that part wants the whole prompt.
    """
    layers, proofs, order = layers_of(decoder), dict[Any, Proof](), list[str]()
    outputs: dict[Any, Any] = {}
    fewer, mine = False, threading.get_ident()

    @uncompiled
    def in_place(index: int, layer: Layer, forward: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != mine:
            return forward(*args, **kwargs)
        order.clear()
        kind = kinds[index]
        if kind not in proofs:
            call = Call(*named_inputs(forward, args, kwargs), decoder.config)
            outputs[kind] = forward(call.hidden_BTD, **call.with_fresh_cache())
            proofs[kind] = prove(layer, forward, call, outputs[kind])
        return padded(outputs[kind], -FEWER) if fewer and index == len(layers) - 1 else outputs[kind]

    with _quiet(decoder), ExitStack() as undo:
        for name, child in decoder.named_children():
            undo.callback(child.register_forward_hook(lambda *_, name=name: order.append(name)).remove)
        for index, layer in enumerate(layers):
            forward = running_forward(layer)
            undo.enter_context(replaced_forward(layer, partial(in_place, index, layer, forward)))
        try:
            _read(decoder, device, root)
        except Exception as error:  # whatever foreign code raises is the reason why its model cannot be used
            reason = f"its {type(decoder).__name__} cannot read a short prompt of token ids ({short(error)})"
            return tuple(proofs.get(kind, reason) for kind in kinds), None, False
        missing = "it does not run while a prompt is read"
        found = tuple(proofs.get(kind, missing) for kind in kinds), order[0] if order else None
        fewer = True
        try:
            _read(decoder, device, root)
        except Exception:  # which is the answer
            whole = True
        else:
            whole = False
    if _looks_positions_up(decoder, [outputs.get(kind) for kind in kinds], device, root):
        reason = "with each new token it is given the positions of all keys, to look those of earlier tokens up"
        found = (reason,) * len(layers), found[1]
    return *found, whole


def _looks_positions_up(decoder: Any, outputs: Sequence[Any], device: torch.device, root: Any) -> bool:
    """Whether a token that follows a prompt comes with the position tables of all tokens before: such a layer takes
    positions by the number of a key, which is another one in a cache that has lost tokens.

    outputs: of each layer for the short prompt; only the first layer runs here.
    """
    columns, mine = list[int](), threading.get_ident()

    @uncompiled
    def in_place(index: int, forward: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != mine:
            return forward(*args, **kwargs)
        hidden_BTD, inputs = named_inputs(forward, args, kwargs)
        tables = inputs.get("position_embeddings")
        if tables is not None:
            columns.append((tables if isinstance(tables, Tensor) else tables[0]).shape[-2] - hidden_BTD.shape[1])
        return forward(hidden_BTD, **inputs) if index == 0 else padded(outputs[index], hidden_BTD.shape[1] - TOKENS)

    with _quiet(decoder), ExitStack() as undo:
        for index, layer in enumerate(layers_of(decoder)):
            forward = running_forward(layer)
            undo.enter_context(replaced_forward(layer, partial(in_place, index, forward)))
        cache = empty_cache(decoder.config)
        try:
            _read(decoder, device, root, TOKENS, cache)
            _read(decoder, device, root, 1, cache)
        except Exception:  # what else is wrong, the proofs say
            return False
    return max(columns, default=0) > 0


def _read(decoder: Any, device: torch.device, root: Any, tokens: int = TOKENS, cache: Any = None) -> None:
    """Let the decoder read random tokens after what `cache` holds; None for an empty one."""
    embedding = decoder.get_input_embeddings() if hasattr(decoder, "get_input_embeddings") else decoder.embed_tokens
    entries = getattr(embedding, "num_embeddings", None) or embedding.weight.shape[0]
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(min(3, entries - 1), entries, (ROWS, tokens), generator=generator).to(device)
    before = 0 if cache is None else cache.get_seq_length()
    further = {}
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(type(root).forward).parameters.values()):
        further[MARKER] = True
    # Not through hooks, which others may count with; a decoder in shards is gathered by its hooks.
    read: Any = root if isinstance(root, FSDPModule) else decoder.forward
    read(
        input_ids=ids,
        attention_mask=torch.ones(ROWS, before + tokens, dtype=torch.int64, device=device),
        past_key_values=empty_cache(decoder.config) if cache is None else cache,
        use_cache=True,
        **further,
    )


@contextmanager
def _quiet(decoder: nn.Module) -> Iterator[None]:
    """Without gradients, dropout, autocast or a trace in the random generators."""
    training = [module for module in decoder.modules() if module.training]
    devices = {parameter.device for parameter in decoder.parameters() if parameter.is_cuda}
    kinds = {device.type for device in devices} | {"cpu"}
    try:
        for module in training:
            module.training = False
        with ExitStack() as undo:
            for config in {id(config): config for config in _configs(decoder)}.values():
                undo.callback(setattr, config, "_attn_implementation", config._attn_implementation)
                config._attn_implementation = "sdpa"
            undo.enter_context(torch.no_grad())
            undo.enter_context(torch.random.fork_rng(list(devices)))
            for kind in kinds:
                undo.enter_context(torch.autocast(kind, enabled=False))
            yield
    finally:
        for module in training:
            module.training = True


def _configs(decoder: nn.Module) -> list[Any]:
    """The configs that ask for a flash kernel. Such a kernel takes neither all masks nor all devices and types, and the
    structure of a layer does not depend on the kernel."""
    configs = [getattr(module, "config", None) for module in decoder.modules()]
    return [config for config in configs if "flash" in str(getattr(config, "_attn_implementation", ""))]
