"""Muon for the decoder's matrices, AdamW for everything else, and a schedule over time instead of steps."""

from torch import nn
from torch.optim import AdamW, Muon, Optimizer

BASE_LR = "base_lr"


def make_optimizers(network: nn.Module, muon_lr: float, adamw_lr: float, weight_decay: float) -> list[Optimizer]:
    """Muon (Jordan et al. 2024, learning rates scaled to AdamW's as by Liu et al. 2025, arXiv 2502.16982) and AdamW."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            in_layer = parameter.ndim == 2 and ".layers." in name
            (matrices if in_layer else others).append(parameter)
    muon = Muon(matrices, lr=muon_lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
    adamw = AdamW(others, lr=adamw_lr, betas=(0.9, 0.95), weight_decay=0.0)
    for optimizer in (muon, adamw):
        for group in optimizer.param_groups:
            group[BASE_LR] = group["lr"]
    return [muon, adamw]


def warm_hold_decay(step: int, done: float, warm_steps: int, decay: float) -> float:
    """Factor of the learning rate: linear warm-up, constant, then linear to zero over the last `decay` of the time.

    done: share of the training time that has passed, 0 to 1. A schedule over time ends when it should on any machine.
    """
    warm = min(1.0, (step + 1) / warm_steps)
    return warm * min(1.0, max(0.0, 1.0 - done) / decay)


def set_learning_rates(optimizers: list[Optimizer], factor: float) -> None:
    """Scale every group's own learning rate by `factor`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group[BASE_LR] * factor
