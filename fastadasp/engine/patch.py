"""Changing a model for the time of a `with` block, by one user at a time."""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from fastadasp.engine.decoder import Layer

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


@contextmanager
def replaced_forward(layer: Layer, forward: Callable[..., Tensor]) -> Iterator[None]:
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
