"""Random weights large enough that every token of a prompt changes the answer."""

import torch
from torch import nn


@torch.no_grad()
def enlarge(model: nn.Module, factor: float = 4.0) -> None:
    """Multiply all matrices of a model: as transformers draws them, they are so small that attention sees no token."""
    for parameter in model.parameters():
        if parameter.ndim > 1 and parameter.is_floating_point():
            parameter.mul_(factor)
