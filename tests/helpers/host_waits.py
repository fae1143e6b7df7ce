"""Finds, on a CPU, what would make the host wait for a GPU.

A GPU itself finds more: `torch.cuda.set_sync_debug_mode("error")`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class HostWaitError(AssertionError):
    """The host would have waited."""


READS = {Tensor.tolist, Tensor.item, Tensor.cpu, Tensor.numpy, Tensor.__bool__, Tensor.__int__, Tensor.__float__}
"""What the host can only know once the device has got there."""
UPLOADS = {torch.as_tensor, torch.tensor, Tensor.new_tensor}
"""What copies from ordinary memory, if made where the others are."""
DATA_DEPENDENT = {
    *("_local_scalar_dense", "item", "is_nonzero"),
    *("nonzero", "masked_select", "_unique2", "unique_dim", "bincount"),
}
"""Operators whose result's shape or value the host asks for."""


class _NoReads(TorchFunctionMode):
    def __torch_function__(
        self, call: Callable[..., Any], _: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if call in READS or (call in UPLOADS and (call is Tensor.new_tensor or kwargs.get("device") is not None)):
            raise HostWaitError(f"{call.__name__} waits for the device")
        return call(*args, **kwargs)


class _NoDataDependence(TorchDispatchMode):
    def __torch_dispatch__(
        self, operator: Any, _: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = operator.overloadpacket.__name__
        if name in DATA_DEPENDENT:
            raise HostWaitError(f"{name} waits for the device")
        if name == "where" and any(not isinstance(choice, Tensor) or choice.ndim == 0 for choice in args[1:]):
            raise HostWaitError("where copies a number to the device; use masked_fill")
        if name == "index" and any(index is not None and index.dtype == torch.bool for index in args[1]):
            raise HostWaitError("indexing by a mask waits for the device")
        return operator(*args, **(kwargs or {}))


@contextmanager
def no_host_waits() -> Iterator[None]:
    """Inside, HostWaitError is raised where code that keeps its tensors on a GPU would wait for it."""
    with _NoReads(), _NoDataDependence():
        yield
