"""Making a batch: rows are padded on the left, and the batch is brought to the device of the model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import BatchFeature


def to_device(batch: "BatchFeature", device: "torch.device") -> "BatchFeature":
    """A batch's tensors on `device`. To a GPU by pinned memory, so that the host does not wait for the copy."""
    import torch

    if device.type != "cuda":
        return batch.to(device)
    pinned = {name: value.pin_memory() if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
    return type(batch)(pinned).to(device, non_blocking=True)


def pad_left(sequences: Sequence["Tensor"], value: int) -> "Tensor":
    """(B, T) from rows of unlike lengths."""
    from torch.nn.utils.rnn import pad_sequence

    return pad_sequence(list(sequences), batch_first=True, padding_value=value, padding_side="left")
