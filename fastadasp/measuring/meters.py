"""What a device can do, and what a piece of work took of it."""

import ctypes
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import torch

from fastadasp.measuring.energy import energy_j, energy_since
from fastadasp.process.device_time import now, synchronize

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
LEAST_S = 1.5
"""Seconds over which energy is averaged: NVML's counter moves only some ten times a second."""


class Meter:
    """Context manager: memory that was in use at the worst moment above what it began with, and energy."""

    peak_bytes: int | None
    """On CUDA by torch's allocator; on Linux by the process' resident memory, which does not show what malloc had in
    reserve (see `trim_heap`); None where nothing is seen."""
    energy_j: float | None
    """Of the whole GPU; None where NVML does not tell it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __enter__(self) -> Self:
        self._energy_began = energy_j(self.device)
        self._bytes_began = 0
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._bytes_began = torch.cuda.memory_allocated(self.device)
        elif _CLEAR.exists():
            _CLEAR.write_text("5")  # Linux: sets the peak back to what is resident now
            self._bytes_began = _resident_peak()
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            synchronize(self.device)
            peak = torch.cuda.max_memory_allocated(self.device)
        else:
            peak = _resident_peak() if _CLEAR.exists() else 0
        self.peak_bytes = peak - self._bytes_began if peak > self._bytes_began else None
        self.energy_j = energy_since(self._energy_began, self.device)


def trim_heap() -> None:
    """Hand what malloc holds in reserve back to Linux: then a Meter on the CPU sees all that is asked for."""
    with suppress(OSError, AttributeError, TypeError):  # other systems have no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


def joules(work: Callable[[], Any], device: torch.device) -> float | None:
    """Energy of one call of `work`, averaged over calls for LEAST_S seconds; None where NVML does not tell it."""
    if (began_j := energy_j(device)) is None:
        return None
    began, calls = time.perf_counter(), 0
    while time.perf_counter() - began < LEAST_S:
        work()
        synchronize(device)
        calls += 1
    used_j = energy_since(began_j, device)
    return None if used_j is None else used_j / calls


def _resident_peak() -> int:
    """Peak resident bytes of this process since it was last set back."""
    found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) * 1024 if found else 0


def measured_limits(device: torch.device, dtype: torch.dtype) -> tuple[float, float]:
    """FLOP/s of a large matrix product and bytes/s of a large copy: the limits of a device without a data sheet."""
    side, length = (2048, 2**28) if device.type == "cpu" else (8192, 2**31)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source = torch.zeros(length, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    product_s = best_time(lambda: a @ b, device)
    copy_s = best_time(lambda: target.copy_(source), device)
    return 2 * side**3 / product_s, 2 * length / copy_s


def best_time(work: Callable[[], Any], device: torch.device, repeats: int = 5) -> float:
    """Seconds of the fastest of some runs."""
    return min(timed(work, device) for _ in range(repeats))


def timed(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds that `work` takes, the device's part included."""
    began = now(device)
    work()
    return now(device) - began
