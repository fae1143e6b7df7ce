"""Running a decoder layer in two halves, up to the end of attention and from there on, by the layer's own `forward`.

Nothing of the layer's arithmetic is restated here. Where the residual stream after attention is what some module of the
layer is given (the norm before the MLP, in most families), the first half is the layer's own forward pass, left at that
module; the second half is the layer's own forward pass again, in which attention adds nothing. Where there is no such
module (attention and MLP in parallel, norms after the sum), the first half ends with attention, and the second half is
given the layer's input and attention's output, both reduced alike. `fastadasp.engine.proof` finds which of the two
holds, and shows by numbers that it does.

B rows, T tokens, S tokens after a reduction, D hidden channels.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

Layer = Any
"""A decoder layer: an nn.Module whose attributes its type cannot tell."""
Forward = Callable[..., Any]
F = TypeVar("F", bound=Forward)


def uncompiled(function: F) -> F:
    """`function`, which torch.compile is to call and not to look into."""
    disabled: F = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    return disabled


@dataclass(frozen=True)
class Halves:
    """How one kind of decoder layer is cut in two."""

    attention: str
    """Name, within the layer, of the module that calls transformers' attention interface."""
    entry: str | None
    """The module that is given the residual stream after attention; None where there is none."""
    skipped: tuple[str, ...]
    """Modules that only prepare what attention reads, which the second half has no use for."""
    returns: int | None
    """Number of values that attention returns; None for a tensor alone."""
    windowed: int | None
    """How many tokens attention looks back, itself included; None for all."""
    rotated: bool
    """Whether queries and keys turn as `position_embeddings` say, channel i with channel i + d/2."""
    head_dim: int
    """Channels of each query head."""
    tells_kernel: bool
    """Whether further arguments of the decoder reach the attention kernel."""
    plain: bool
    """Whether scores are scaled products alone: no soft cap, no sinks, nothing that is not known here."""
    explained: bool
    """Whether attention is what queries and keys give by scaling, soft cap, sinks and softmax, and nothing else."""
    projection: str | None
    """The module in which attention's heads meet."""
    numbered: bool = False
    """Whether position numbers are needed beside rotary tables. (Where they are not, none are given: some kernels look
    for packed sequences in them.)"""
    masked: bool = False
    """Whether a mask is needed even where the kernel would do without."""


class Reached(BaseException):
    """The first half has ended; no error, and not to be caught as one."""


@dataclass(frozen=True, eq=False)
class Attended:
    """The result of the first half of a layer."""

    hidden_BTD: Tensor
    """The residual stream after attention (in parallel layers, the input and attention's output)."""
    entered_BTD: Tensor | None = None
    """The layer's input, where the second half begins with it."""
    attention_BTD: Tensor | None = None
    """Attention's output, where the second half needs it apart from the residual stream."""

    def moved(self, move: Callable[[Tensor], Tensor]) -> "Attended":
        """The result with `move` applied to all its tensors of tokens."""
        if self.entered_BTD is None or self.attention_BTD is None:
            return Attended(move(self.hidden_BTD))
        entered_BSD, attention_BSD = move(self.entered_BTD), move(self.attention_BTD)
        return Attended(together(entered_BSD, attention_BSD), entered_BSD, attention_BSD)


def together(entered_BTD: Tensor, attention_BTD: Tensor) -> Tensor:
    """The sum where shapes allow one, else the first."""
    return entered_BTD + attention_BTD if entered_BTD.shape == attention_BTD.shape else entered_BTD


def first_half(layer: Layer, forward: Forward, halves: Halves, hidden_BTD: Tensor, inputs: dict[str, Any]) -> Attended:
    """Run `layer` up to the end of attention; what attention caches is cached."""
    found: list[Tensor] = []
    mine = threading.get_ident()

    @uncompiled
    def reached(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() == mine:
            found.append(leading(args) if args else leading(tuple(kwargs.values())))
            raise Reached

    @uncompiled
    def attended(_: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if threading.get_ident() == mine:
            found.append(leading(output))
            raise Reached

    if halves.entry is not None:
        hook = layer.get_submodule(halves.entry).register_forward_pre_hook(reached, prepend=True, with_kwargs=True)
    else:
        hook = layer.get_submodule(halves.attention).register_forward_hook(attended)
    try:
        forward(hidden_BTD, **inputs)
    except Reached:
        pass
    finally:
        hook.remove()
    if halves.entry is not None:
        return Attended(found[0])
    return Attended(together(hidden_BTD, found[0]), hidden_BTD, found[0])


def second_half(layer: Layer, forward: Forward, halves: Halves, state: Attended, inputs: dict[str, Any]) -> Any:
    """Run `layer` from the end of attention on; returns what the layer returns."""
    hidden_BSD = state.hidden_BTD if state.entered_BTD is None else state.entered_BTD
    added_BSD = torch.zeros_like(hidden_BSD) if state.attention_BTD is None else state.attention_BTD
    answer = added_BSD if halves.returns is None else (added_BSD, *(None,) * (halves.returns - 1))
    with ExitStack() as undo:
        undo.enter_context(_stub(layer, halves.attention, lambda *_, **__: answer))
        for name in halves.skipped:
            undo.enter_context(_stub(layer, name, _given))
        return forward(hidden_BSD, **inputs)


def _given(*args: Any, **kwargs: Any) -> Any:
    return args[0] if args else next(iter(kwargs.values()))


class _Stub(nn.Module):
    """Answers in place of a module, but to one thread alone."""

    def __init__(self, module: nn.Module, answer: Forward) -> None:
        super().__init__()
        vars(self).update(original=module, answer=answer, thread=threading.get_ident())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The answer, or what the module says to other threads."""
        ours = threading.get_ident() == self.thread
        return self.answer(*args, **kwargs) if ours else self.original(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["original"], name)


@contextmanager
def _stub(layer: Layer, name: str, answer: Forward) -> Iterator[None]:
    """Inside, `answer` stands where the layer's module `name` was; neither the module nor hooks on the module run."""
    parent_name, _, last = name.rpartition(".")
    parent = layer.get_submodule(parent_name)
    original = parent._modules[last]
    parent._modules[last] = _Stub(original, answer)
    try:
        yield
    finally:
        parent._modules[last] = original


def leading(output: Any) -> Tensor:
    """The first tensor of what a module is given or returns."""
    if isinstance(output, Tensor):
        return output
    return next(leading(part) for part in output if isinstance(part, Tensor | tuple | list))


def padded(output: Any, columns: int) -> Any:
    """The output of a layer with `columns` zeros put before the tokens of its first tensor; a negative number cuts."""
    if isinstance(output, Tensor):
        return pad(output, (0, 0, columns, 0))
    return type(output)((padded(output[0], columns), *output[1:]))


def named_inputs(forward: Forward, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
    """The arguments of a call of a layer: the hidden states, and all others by name."""
    if not args:
        kwargs = dict(kwargs)
        return kwargs.pop("hidden_states"), kwargs
    if len(args) == 1:
        return args[0], kwargs
    import inspect

    bound = inspect.signature(forward).bind(*args, **kwargs)
    inputs = dict(bound.arguments)
    inputs |= inputs.pop("kwargs", {})
    hidden = inputs.pop(next(iter(inputs)))
    return hidden, inputs
