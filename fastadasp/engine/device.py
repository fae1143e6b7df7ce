"""Where a model takes its inputs, though its weights may be elsewhere."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


def input_device(model: nn.Module) -> torch.device:
    """The device on which `model` reads a batch.

    It is that of the weights. Weights that accelerate keeps in the memory of the host or on the disk are on the device
    `meta` while they are not in use; then it is the one to which accelerate brings them.
    """
    weights = next(iter(model.parameters()), None)
    if weights is not None and weights.device.type != "meta":
        return weights.device
    for module in model.modules():
        for hook in _hooks(module):
            device = getattr(hook, "execution_device", None)
            if isinstance(device, str | int | torch.device):
                return torch.device(device)
    return torch.device("cpu") if weights is None else weights.device


def _hooks(module: nn.Module) -> Iterator[Any]:
    """accelerate's hooks of a module: none, one, or one that holds several."""
    hook = getattr(module, "_hf_hook", None)
    yield from getattr(hook, "hooks", () if hook is None else (hook,))
