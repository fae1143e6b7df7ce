"""From the memory of the host to the device of a model."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import BatchFeature


def to_device(batch: "BatchFeature", device: "torch.device") -> "BatchFeature":
    """A batch's tensors on `device`. To a GPU by pinned memory, so that the host does not wait for the copy."""
    import torch

    if device.type != "cuda":
        return batch.to(device)
    pinned = {name: value.pin_memory() if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
    return type(batch)(pinned).to(device, non_blocking=True)
