"""Our Muon against torch's, which rounds to bfloat16."""

import torch
from torch import nn
from torch.optim import Muon

from experiments.tiny.optimizers import SharedMuon


def test_it_steps_as_torchs_muon_does() -> None:
    torch.manual_seed(0)
    shapes = [(16, 16), (16, 16), (48, 16), (16, 48)]
    ours = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    starts = [p.detach().clone() for p in ours]
    optimizers = (
        SharedMuon(ours, lr=0.01, weight_decay=0.1),
        Muon(theirs, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape)
            other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for start, mine, other in zip(starts, ours, theirs, strict=True):
        moved = (other - start).norm()
        assert (mine - other).norm() < 0.03 * moved, (mine - other).norm() / moved
