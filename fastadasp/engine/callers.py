"""Which threads a block serves, while other threads use the same model too."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_open: ContextVar[tuple["Callers", ...]] = ContextVar("fastadasp_blocks", default=())
"""The blocks that are open around the code of this context."""


class Callers:
    """The threads that a block serves: its own, those started since, and any that runs in a context copied inside."""

    def __init__(self) -> None:
        self._older = weakref.WeakSet(threading.enumerate()) - {threading.current_thread()}

    def served(self) -> bool:
        """Whether the block serves the thread that runs this."""
        backward = torch._C._current_graph_task_id() != -1  # checkpoints are recomputed in autograd's own threads
        return backward or threading.current_thread() not in self._older or self in _open.get()

    @contextmanager
    def in_context(self) -> Iterator[None]:
        """Inside, copies of the current context belong to the block (`asyncio.to_thread` makes one)."""
        _open.set((*_open.get(), self))
        try:
            yield
        finally:
            _open.set(tuple(other for other in _open.get() if other is not self))

    @staticmethod
    def refuse_prompt() -> None:
        """RuntimeError for a prompt of another thread: nobody can tell for whom it is."""
        raise RuntimeError(
            f"thread {threading.current_thread().name} is older than the merging() block that is open on this model, "
            "so that nothing tells whether its prompt is to be reduced. Start the thread or its pool inside the block, "
            "hand over the block's context (contextvars.copy_context().run, asyncio.to_thread), open a block in each "
            "thread on a model of its own, or wait until the block has ended"
        )
