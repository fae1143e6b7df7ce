"""Muon for the decoder's matrices, AdamW for everything else, and a schedule over time instead of steps."""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from experiments.training.tiny.network import has_bfloat16

BASE_LR = "base_lr"


class SharedMuon(Muon):
    """Muon that orthogonalises matrices of one shape together, each process of a group its share of them.

    It does so in bfloat16 where the CPU multiplies that, else in float32: torch's own always takes bfloat16, which
    other CPUs emulate, and repeats everything in each process, so that it took two fifths of a training step. Learning
    rates are always scaled as by `adjust_lr_fn="match_rms_adamw"`.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of all matrices that have a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[tuple(parameter.shape)].append(parameter)
            for shape, parameters in alike.items():
                updates = [self._momentum(parameter, group["momentum"], group["nesterov"]) for parameter in parameters]
                turned = self._turned(torch.stack(updates), group)
                rate = group["lr"] * 0.2 * math.sqrt(max(shape))
                for parameter, update in zip(parameters, turned, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)
        return loss

    def _turned(self, updates_NRC: Tensor, group: dict[str, Any]) -> Tensor:
        """The orthogonalised updates; every process gets the same, to the bit."""
        shared = dist.is_available() and dist.is_initialized()
        rank, ranks = (dist.get_rank(), dist.get_world_size()) if shared else (0, 1)
        turned_NRC = torch.zeros_like(updates_NRC, dtype=torch.bfloat16 if has_bfloat16() else torch.float32)
        mine = updates_NRC[rank::ranks].to(turned_NRC.dtype)
        if len(mine):
            turned_NRC[rank::ranks] = orthogonal(mine, group["ns_coefficients"], group["ns_steps"], group["eps"])
        if shared:
            dist.all_reduce(turned_NRC)  # of each matrix, all but one process hold zeros
        return turned_NRC

    def _momentum(self, parameter: nn.Parameter, momentum: float, nesterov: bool) -> Tensor:
        state, grad = self.state[parameter], parameter.grad
        assert grad is not None
        buffer: Tensor = state.setdefault("momentum_buffer", torch.zeros_like(grad))
        buffer.lerp_(grad, 1 - momentum)
        return grad.lerp(buffer, momentum) if nesterov else buffer.clone()


def orthogonal(x_NRC: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Newton-Schulz iteration towards the nearest orthogonal matrix of each of N, as in Jordan et al. 2024."""
    if x_NRC.shape[1] > x_NRC.shape[2]:
        return orthogonal(x_NRC.mT, coefficients, steps, eps).mT
    a, b, c = coefficients
    x_NRC = x_NRC / x_NRC.norm(dim=(1, 2), keepdim=True).clamp_min(eps)
    for _ in range(steps):
        gram_NRR = x_NRC @ x_NRC.mT
        x_NRC = torch.baddbmm(x_NRC, torch.baddbmm(gram_NRR, gram_NRR, gram_NRR, beta=b, alpha=c), x_NRC, beta=a)
    return x_NRC


def make_optimizers(network: nn.Module, muon_lr: float, adamw_lr: float, weight_decay: float) -> list[Optimizer]:
    """Muon (Jordan et al. 2024, learning rates scaled to AdamW's as by Liu et al. 2025, arXiv 2502.16982) and AdamW."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            in_layer = parameter.ndim == 2 and ".layers." in name
            (matrices if in_layer else others).append(parameter)
    muon = SharedMuon(matrices, lr=muon_lr, weight_decay=weight_decay)
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
