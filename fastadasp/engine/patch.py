"""Changing a model for the time of a `with` block, by one user at a time."""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from torch import nn

from fastadasp.engine.halves import Layer

_active: "weakref.WeakSet[nn.Module]" = weakref.WeakSet()
_active_lock = threading.Lock()


@contextmanager
def only_user_of(decoder: nn.Module) -> Iterator[None]:
    """RuntimeError if another block has the decoder."""
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


def running_forward(layer: Layer) -> Callable[..., Any]:
    """The `forward` that `replaced_forward` replaces."""
    forward: Callable[..., Any] = getattr(layer, _slot(layer))
    return forward


def replaced_forward(layer: Layer, forward: Callable[..., Any]) -> AbstractContextManager[None]:
    """`layer.forward` is `forward` inside. Where accelerate placed the layer on a device, its hook stays around it."""
    return replaced_method(layer, _slot(layer), forward)


def _slot(layer: Layer) -> str:
    return "_old_forward" if hasattr(layer, "_hf_hook") else "forward"


@contextmanager
def replaced_method(owner: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """`owner.name` is `method` inside."""
    before = vars(owner).get(name)
    setattr(owner, name, method)
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
