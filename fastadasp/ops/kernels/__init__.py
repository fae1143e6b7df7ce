"""Triton kernels for CUDA devices; each has a plain torch counterpart that defines its result."""

import warnings

import torch
from torch import Tensor

_usable: dict[tuple[torch.device, torch.dtype, int], bool] = {}
"""Whether Triton could compile the kernels, for each device, dtype and number of channels."""


def try_column_sums(
    queries_BHTd: Tensor,
    keys_BGTd: Tensor,
    columns: slice,
    real_BT: Tensor | None,
    scaling: float,
    lse_BHT: Tensor | None = None,
) -> Tensor | None:
    """(B, G, N) float32, see `kernels.column_sums`; None, with one warning, where Triton cannot compile for the device:
    it is not installed, finds no C compiler, or does not know the GPU."""
    kind = queries_BHTd.device, queries_BHTd.dtype, queries_BHTd.shape[-1]
    if not _usable.get(kind, True):
        return None
    try:
        from fastadasp.ops.kernels.column_sums import column_sums

        received_BGN = column_sums(queries_BHTd, keys_BGTd, columns, real_BT, scaling, lse_BHT)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # of whatever kind the compilers' errors are
        if kind in _usable:
            raise  # it has worked before
        _usable[kind] = False
        warnings.warn(
            f"Triton cannot compile the kernel that sums attention on {kind[0]} for {kind[1]} and {kind[2]} channels "
            f"({type(error).__name__}: {error}); it is summed in plain PyTorch, with the same result but more slowly",
            stacklevel=2,
        )
        return None
    _usable[kind] = True
    return received_BGN
