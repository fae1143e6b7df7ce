"""Our Muon against torch's, which rounds to bfloat16."""

from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import start_processes
from torch.optim import Muon

from experiments.training.tiny.optimizers import SharedMuon


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


def _three_steps(rank: int, ranks: int, folder: Path) -> None:
    """Save what three steps over the same gradients make of three matrices, alone or as one of `ranks` processes."""
    if ranks > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=ranks)
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(6, 4)) for _ in range(3)]
    optimizer = SharedMuon(weights, lr=0.01, weight_decay=0.1)
    for _ in range(3):
        for weight in weights:
            weight.grad = torch.randn(6, 4)
        optimizer.step()
    torch.save([weight.detach() for weight in weights], folder / f"{ranks}-{rank}.pt")
    if ranks > 1:
        dist.destroy_process_group()


def test_processes_that_share_the_matrices_step_as_one_does(tmp_path: Path) -> None:
    _three_steps(0, 1, tmp_path)
    start_processes(_three_steps, (2, tmp_path), nprocs=2, start_method="spawn")
    alone, first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("1-0", "2-0", "2-1"))
    assert len(alone) == 3
    for one, other, another in zip(alone, first, second, strict=True):
        assert torch.equal(other, another)
        # Batches of one and of three matrices may round differently.
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
