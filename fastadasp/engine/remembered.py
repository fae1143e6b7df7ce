"""Memories of audio encoders: what an encoder has read before need not be computed again.

A memory stands around all that changes how an encoder computes (`valid_frames`), never under it: what decides whether
frames may be left out must see the encoder compute.
"""

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from torch import nn


class Memory(Protocol):
    """Answers calls of an encoder, by what it knows or by computing."""

    def __call__(self, compute: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The result of `compute(*args, **kwargs)`, computed or remembered."""


_memories: "weakref.WeakKeyDictionary[nn.Module, list[Memory]]" = weakref.WeakKeyDictionary()


def remember(encoder: nn.Module, memory: Memory) -> None:
    """Ask `memory` before the encoder computes; of several, the last one that was added is asked first."""
    _memories.setdefault(encoder, []).append(memory)


def remembering(encoder: nn.Module, compute: Callable[..., Any]) -> Callable[..., Any]:
    """`compute` behind the memories of the encoder."""
    for memory in _memories.get(encoder, []):
        compute = partial(_asked, memory, compute)
    return compute


def _asked(memory: Memory, compute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return memory(compute, args, kwargs)


def is_listened_to(encoder: nn.Module) -> bool:
    """Whether somebody notes what the encoder's last attention sees: then it must run."""
    attention = encoder.layers[-1].self_attn  # type: ignore[index, union-attr]
    return bool(attention._forward_hooks or attention._forward_pre_hooks)
