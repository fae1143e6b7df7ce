"""How the layers of a decoder can be cut in two: found by a short random prompt, and shown by numbers to be right.

What is shown of a layer, by its own `forward` and whatever stands in that method's place:

1. its two halves, one after the other, give what the layer gives;
2. after attention each token goes its own way: the second half on some of the tokens gives what the layer gives there;
3. the layer minds masks and positions that are handed to the layer: on some of the tokens alone, with their own
   positions, the layer gives what the whole prompt gives there when the other tokens are masked.

So no family is trusted by its name. A layer of a known class that computes otherwise, by inheritance, by remote code or
by a replaced `forward`, is either run as that layer is, or refused with the reason.

B rows, T tokens, K of them kept, D hidden channels.
"""

import inspect
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from fastadasp.engine.cache import whole_layers
from fastadasp.engine.decoder import AttentionTap, attention_mask, layers_of
from fastadasp.engine.halves import Attended, Halves, Layer, first_half, leading, named_inputs, padded, second_half
from fastadasp.engine.patch import replaced_forward, running_forward
from fastadasp.engine.span import at_columns, tables_at
from fastadasp.reduction.state import unrotate

ROWS, TOKENS = 2, 11
KEPT = (0, 2, 3, 5, 8, 10)
KEPT_OF_FEW = tuple(range(5, TOKENS))
"""Under a window shorter than the prompt: tokens whose distances stay."""
TOLERANCE = {torch.float32: 2e-3, torch.float64: 1e-6, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Greatest difference, relative to what a layer adds; half of the tokens must stay below."""
FEWER = 4
MARKER = "fastadasp_marker"


@dataclass(frozen=True, eq=False)
class Call:
    """What a layer was called with in the short prompt."""

    hidden_BTD: Tensor
    inputs: dict[str, Any]
    config: Any

    def with_fresh_cache(self, **changed: Any) -> dict[str, Any]:
        """The arguments, with an empty cache of their own."""
        inputs = {
            name: _empty_cache(self.config) if isinstance(x, DynamicCache) else x for name, x in self.inputs.items()
        }
        return inputs | changed


Proof = Halves | str
"""How a layer is cut, or why the layer cannot be."""


@dataclass(frozen=True, eq=False)
class Tail:
    """What a decoder does after its last layer."""

    norm: nn.Module | None = None
    """What the last layer's output goes through, if anything."""
    whole: bool = False
    """Whether the decoder wants as many tokens there as before its first layer."""


_known: "weakref.WeakKeyDictionary[nn.Module, tuple[tuple[Any, ...], tuple[Proof, ...], str | None, bool]]" = (
    weakref.WeakKeyDictionary()
)


def examine(decoder: Any, device: torch.device) -> tuple[tuple[Proof, ...], Tail]:
    """For each layer of `decoder`: how the layer is cut in two, or why not. Done anew only after something changed."""
    kinds = tuple(_kind(layer) for layer in layers_of(decoder))
    known = _known.get(decoder)
    if known is None or known[0] != kinds:
        known = (kinds, *_probe(decoder, kinds, device))
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
    """What tells a function from another at the same address later; holds no model."""
    return getattr(getattr(forward, "__func__", getattr(forward, "func", forward)), "__code__", None)


def _probe(decoder: Any, kinds: tuple[Any, ...], device: torch.device) -> tuple[tuple[Proof, ...], str | None, bool]:
    """Let the decoder read a short random prompt, and prove one layer of each kind on the way.

    Returns also the name of what follows the layers, and whether that part wants the whole prompt.
    """
    layers, proofs, order = layers_of(decoder), dict[Any, Proof](), list[str]()
    outputs: dict[Any, Any] = {}
    fewer = False

    def in_place(index: int, layer: Layer, forward: Any, *args: Any, **kwargs: Any) -> Any:
        order.clear()
        kind = kinds[index]
        if kind not in proofs:
            call = Call(*named_inputs(forward, args, kwargs), decoder.config)
            outputs[kind] = forward(call.hidden_BTD, **call.with_fresh_cache())
            proofs[kind] = _prove(layer, forward, call, outputs[kind])
        return padded(outputs[kind], -FEWER) if fewer and index == len(layers) - 1 else outputs[kind]

    with _quiet(decoder), ExitStack() as undo:
        for name, child in decoder.named_children():
            undo.callback(child.register_forward_hook(lambda *_, name=name: order.append(name)).remove)
        for index, layer in enumerate(layers):
            forward = running_forward(layer)
            undo.enter_context(replaced_forward(layer, partial(in_place, index, layer, forward)))
        try:
            _read(decoder, device)
        except Exception as error:  # whatever foreign code raises is the reason why its model cannot be used
            reason = f"its {type(decoder).__name__} cannot read a short prompt of token ids ({_short(error)})"
            return tuple(proofs.get(kind, reason) for kind in kinds), None, False
        missing = "it does not run while a prompt is read"
        found = tuple(proofs.get(kind, missing) for kind in kinds), order[0] if order else None
        fewer = True
        try:
            _read(decoder, device)
        except Exception:  # which is the answer
            return *found, True
    return *found, False


def _read(decoder: Any, device: torch.device) -> None:
    embedding = decoder.get_input_embeddings() if hasattr(decoder, "get_input_embeddings") else decoder.embed_tokens
    entries = getattr(embedding, "num_embeddings", None) or embedding.weight.shape[0]
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(min(3, entries - 1), entries, (ROWS, TOKENS), generator=generator).to(device)
    further = {}
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(type(decoder).forward).parameters.values()):
        further[MARKER] = True
    decoder(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        past_key_values=_empty_cache(decoder.config),
        use_cache=True,
        **further,
    )


def _empty_cache(config: Any) -> DynamicCache:
    cache = DynamicCache(config=config)
    cache.layers = whole_layers(cache)
    return cache


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
            undo.enter_context(torch.no_grad())
            undo.enter_context(torch.random.fork_rng(list(devices)))
            for kind in kinds:
                undo.enter_context(torch.autocast(kind, enabled=False))
            yield
    finally:
        for module in training:
            module.training = True


def _prove(layer: Layer, forward: Any, call: Call, output: Any) -> Proof:
    try:
        return _Proof(layer, forward, call, leading(output)).result()
    except Exception as error:  # as above
        return f"running it in two halves ends in an error ({_short(error)})"


def _short(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


class _Proof:
    """The proof for one layer."""

    def __init__(self, layer: Layer, forward: Any, call: Call, whole_BTD: Tensor) -> None:
        self.layer, self.forward, self.call, self.whole_BTD = layer, forward, call, whole_BTD
        self.before: list[tuple[str, Tensor]] = []
        """Modules that ended before attention began, and what they gave."""
        self.after: list[tuple[str, Tensor]] = []
        """Modules that were called after attention, and what they were given."""

    def result(self) -> Proof:
        """How the layer is cut, or why not."""
        found = self._watch()
        if isinstance(found, str):
            return found
        self.name, self.tap, returned = found
        self.window = _window(self.layer, self.tap.attention, self.tap.told)
        halves = Halves(
            attention=self.name,
            entry=None,
            skipped=(),
            returns=len(returned) if isinstance(returned, tuple | list) else None,
            windowed=self.window,
            rotated=False,
            head_dim=self.tap.query_BHTd.shape[-1],
            tells_kernel=MARKER in self.tap.told,
            plain=all(self.tap.told.get(extra) is None for extra in ("softcap", "s_aux", "position_bias")),
            projection=self._projection(),
        )
        cut = self._cut(halves)
        if isinstance(cut, str):
            return cut
        if reason := self._minds_inputs():
            return reason
        return replace(cut, rotated=self._rotated())

    def _watch(self) -> tuple[str, AttentionTap, Any] | str:
        """Which module attends, what it was told and returned; what ran before and after it is noted."""
        taps, returned = {}, dict[str, Any]()
        modules = dict(self.layer.named_modules())
        with ExitStack() as undo:
            for name, module in modules.items():
                if hasattr(getattr(module, "config", None), "_attn_implementation") and "config" in vars(module):
                    taps[name] = undo.enter_context(AttentionTap(module))
            done = lambda: any(tap.query_BHTd is not None for tap in taps.values())  # noqa: E731

            def given(name: str, args: Any, kwargs: Any) -> None:
                tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
                if done() and tensors:
                    self.after.append((name, tensors[0]))

            def gave(name: str, output: Any) -> None:
                returned[name] = output
                if not done() and isinstance(output, Tensor):
                    self.before.append((name, output))

            for name, module in modules.items():
                if name:
                    started = module.register_forward_pre_hook(
                        lambda _, args, kwargs, name=name: given(name, args, kwargs), with_kwargs=True
                    )
                    ended = module.register_forward_hook(lambda _, args, output, name=name: gave(name, output))
                    undo.callback(started.remove)
                    undo.callback(ended.remove)
            self.forward(self.call.hidden_BTD, **self.call.with_fresh_cache())
        called = [name for name, tap in taps.items() if tap.query_BHTd is not None and name in returned]
        if len(called) != 1:
            return (
                f"{len(called) or 'none'} of its modules call{'s' if len(called) < 2 else ''} transformers' attention "
                "interface (ALL_ATTENTION_FUNCTIONS) where there must be one, which caches keys and values"
            )
        return called[0], taps[called[0]], returned[called[0]]

    def _projection(self) -> str | None:
        """The only module within attention that is given what all heads have found."""
        channels = self.tap.query_BHTd.shape[1] * self.tap.value_BGTd.shape[-1]
        inside = [(name, x) for name, x in self.after if name.startswith(f"{self.name}.")]
        given = {name for name, x in inside if x.shape[-1] == channels}
        outer = {name for name in given if not any(name.startswith(f"{other}.") for other in given)}
        return outer.pop() if len(outer) == 1 else None

    def _cut(self, halves: Halves) -> Proof:
        """The cut at the first module that is given the residual stream after attention, else behind attention."""
        hidden_BTD = self.call.hidden_BTD
        inside = f"{halves.attention}."
        entries = [name for name, x in self.after if x.shape == hidden_BTD.shape and not name.startswith(inside)]
        alike = [name for name, x in self.before if "." not in name and x.shape == hidden_BTD.shape]
        skipped = tuple(name for name in dict.fromkeys(alike) if not inside.startswith(f"{name}."))
        for entry in dict.fromkeys(entries[:8]):
            for left_out in dict.fromkeys((skipped, ())):
                sequential = replace(halves, entry=entry, skipped=left_out)
                if self._halves_agree(sequential):
                    return sequential
        if self._halves_agree(halves):
            return halves
        return "what it does after attention is not done token by token, or depends on more than attention's output"

    def _halves_agree(self, halves: Halves) -> bool:
        """Points 1 and 2 of what is shown."""
        try:
            inputs = self.call.with_fresh_cache()
            state = first_half(self.layer, self.forward, halves, self.call.hidden_BTD, inputs)
            both = leading(second_half(self.layer, self.forward, halves, state, inputs))
            if not self._agree(both, self.whole_BTD, self.call.hidden_BTD, every=True):
                return False
            kept = torch.tensor(KEPT, device=both.device)
            some = leading(
                second_half(self.layer, self.forward, halves, state.moved(lambda x: x[:, kept.to(x.device)]), inputs)
            )
            return self._agree(some, self.whole_BTD[:, kept], self.call.hidden_BTD[:, kept])
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, StopIteration):
            return False  # a cut at this module is none: the next is tried

    def _agree(self, found: Tensor, right: Tensor, before: Tensor, *, every: bool = False, slack: float = 1.0) -> bool:
        """Whether two results of the layer are equal but for rounding, by what the layer adds to each token."""
        if found.shape != right.shape:
            return False
        found, right, before = found.double(), right.double(), before.to(right.device).double()
        added = (right - before).norm(dim=-1) if right.shape == before.shape else right.norm(dim=-1)
        rounding = torch.finfo(self.whole_BTD.dtype).eps * right.norm(dim=-1)
        error = (found - right).norm(dim=-1)
        bound = TOLERANCE.get(self.whole_BTD.dtype, 1e-1) * slack * added + 8 * rounding
        equal = error <= bound
        return bool(equal.all() if every else equal.double().median() == 1) and bool(torch.isfinite(found).all())

    def _minds_inputs(self) -> str | None:
        """Point 3 of what is shown: why not, if it cannot be."""
        if "attention_mask" not in self.call.inputs:
            return "it is not given the mask by the name attention_mask"
        kept = KEPT if self.window is None or self.window >= TOKENS else KEPT_OF_FEW
        hidden_BTD, attention = self.call.hidden_BTD, self.tap.attention
        columns_BK = torch.tensor(kept, device=hidden_BTD.device).expand(ROWS, -1)
        real_BT = torch.zeros(ROWS, TOKENS, dtype=torch.bool, device=hidden_BTD.device)
        real_BT[:, list(kept)] = True
        hidden_mask = attention_mask(attention, real_BT, hidden_BTD, TOKENS, window=self.window)
        hidden_BKD = hidden_BTD[:, list(kept)]
        inputs = self.call.with_fresh_cache(
            attention_mask=attention_mask(attention, None, hidden_BKD, len(kept), window=self.window),
            **self.positions(columns_BK),
        )
        try:
            alone = leading(self.forward(hidden_BKD, **inputs))
            masked = leading(self.forward(hidden_BTD, **self.call.with_fresh_cache(attention_mask=hidden_mask)))
        except Exception as error:
            return f"it cannot go on with fewer tokens than the prompt has{self._whole_prompt()} ({_short(error)})"
        if not self._agree(alone, masked[:, list(kept)], hidden_BKD, slack=5):
            return f"with fewer tokens it does not give what it gives when the others are masked{self._whole_prompt()}"
        return None

    def positions(self, columns: Tensor | slice) -> dict[str, Any]:
        """The layer's position arguments at some columns of the prompt."""
        tables, numbers = self.call.inputs.get("position_embeddings"), self.call.inputs.get("position_ids")
        moved: dict[str, Any] = {}
        if tables is not None:
            moved["position_embeddings"] = tables_at(tables, columns)
        if "position_ids" in self.call.inputs:
            moved["position_ids"] = None if tables is not None else at_columns(numbers, columns, -1)
        return moved

    def _whole_prompt(self) -> str:
        """The arguments that speak of the whole prompt and are not known here."""
        known = {"attention_mask", "position_ids", "position_embeddings"}
        others = sorted(
            name
            for name, x in self.call.inputs.items()
            if name not in known and isinstance(x, Tensor) and TOKENS in x.shape
        )
        return f": `{'`, `'.join(others)}` stands for the prompt as it came" if others else ""

    def _rotated(self) -> bool:
        """Whether queries turned back by the layer's own tables do not depend on the position."""
        tables = self.call.inputs.get("position_embeddings")
        if tables is None:
            return self.call.inputs.get("position_ids") is None
        if not isinstance(tables, tuple) or len(tables) != 2 or any(table.ndim < 3 for table in tables):
            return False
        seen = []
        for columns in (slice(0, TOKENS), torch.arange(TOKENS, device=tables[0].device).flip(0).expand(ROWS, -1)):
            moved = self.positions(columns)
            inputs = self.call.with_fresh_cache(**moved)
            with AttentionTap(self.tap.attention) as tap:
                self.forward(self.call.hidden_BTD, **inputs)
            cos, sin = (table[0] if table.ndim == 4 else table for table in moved["position_embeddings"])
            seen.append(unrotate(tap.query_BHTd.float(), (cos.float(), sin.float())))
        error, size = (seen[0] - seen[1]).norm(), seen[0].norm()
        return bool(error <= 2 * TOLERANCE.get(self.call.hidden_BTD.dtype, 1e-1) * size)


def _window(layer: Layer, attention: Any, told: dict[str, Any]) -> int | None:
    """How far back attention looks, by what the kernel was told, or by the attention's own attribute or config."""
    if "sliding_window" in told:
        found = told["sliding_window"]
    elif hasattr(attention, "sliding_window"):
        found = attention.sliding_window
    else:
        found = None
    return found if isinstance(found, int) and found > 0 else None
