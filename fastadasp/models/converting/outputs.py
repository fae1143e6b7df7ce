"""What a converted checkpoint is made of: one entry for each tensor of the new model, dealt out over files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from math import prod

import torch
from torch import Tensor

from fastadasp.models.converting.source import ConversionError, Source

Precision = Enum("Precision", ["keep", "float32", "bfloat16", "float16"])
"""Number format of the converted weights; `keep`: that of the checkpoint."""


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Output:
    """One tensor of the new checkpoint, and how it is made of those of the old one."""

    name: str
    shape: tuple[int, ...]
    sources: tuple[str, ...]
    """Keys of the old checkpoint."""
    make: Callable[..., Tensor] = _as_it_is
    """Takes the tensors of `sources` in that order; must not change them."""

    def dtype(self, source: Source, precision: Precision) -> torch.dtype:
        """The number format in which this tensor is written."""
        if precision is not Precision.keep:
            return getattr(torch, precision.name)  # type: ignore[no-any-return]
        return reduce(torch.promote_types, (source.tensors[key].dtype for key in self.sources))

    def build(self, source: Source, precision: Precision) -> Tensor:
        """The tensor itself; ConversionError where a number is not finite, or no longer is in `precision`."""
        tensor = self.make(*(source.tensors[key].read() for key in self.sources))
        if tuple(tensor.shape) != self.shape:
            raise TypeError(f"{self.name} was made as {tuple(tensor.shape)}, declared as {self.shape}")
        dtype = self.dtype(source, precision)
        made = tensor.to(dtype).contiguous()
        if not bool(torch.isfinite(made).all()):
            damaged = not bool(torch.isfinite(tensor).all())
            raise ConversionError(
                f"{source.path}: {', '.join(self.sources)} holds numbers that are not finite; the checkpoint is damaged"
                if damaged
                else f"{source.path}: numbers of {', '.join(self.sources)} are too large for {dtype}; convert to "
                "bfloat16 or float32"
            )
        return made


@dataclass(frozen=True)
class Shard:
    """The outputs of one file."""

    name: str
    outputs: tuple[Output, ...]
    size: int
    """Bytes of its tensors."""


def deal(outputs: Sequence[Output], source: Source, precision: Precision, limit: int) -> list[Shard]:
    """Files of at most `limit` bytes, or of one larger tensor, in the order of `outputs`."""
    groups: list[list[Output]] = []
    sizes: list[int] = []
    for output in outputs:
        size = prod(output.shape) * output.dtype(source, precision).itemsize
        if not groups or sizes[-1] + size > limit:
            groups.append([])
            sizes.append(0)
        groups[-1].append(output)
        sizes[-1] += size
    return [
        Shard(f"model-{number:05}-of-{len(groups):05}.safetensors", tuple(group), size)
        for number, (group, size) in enumerate(zip(groups, sizes, strict=True), start=1)
    ]
