"""What a device can do, and what a piece of work took of it."""

import re
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Self

import torch
from torch import nn

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Meter:
    """Context manager: memory that was in use at the worst moment above what it began with, and energy."""

    peak_bytes: int
    """On CUDA by torch's allocator; on Linux the process' resident memory, hence only roughly; elsewhere 0."""
    energy_j: float
    """Of the whole GPU, where NVML (package nvidia-ml-py) tells it; else 0."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __enter__(self) -> Self:
        self._energy_began = _energy_j(self.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._bytes_began = torch.cuda.memory_allocated(self.device)
        elif _CLEAR.exists():
            _CLEAR.write_text("5")  # Linux: sets the peak back to what is resident now
            self._bytes_began = _resident_peak()
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            self.peak_bytes = torch.cuda.max_memory_allocated(self.device) - self._bytes_began
        else:
            self.peak_bytes = _resident_peak() - self._bytes_began if _CLEAR.exists() else 0
        self.energy_j = _energy_j(self.device) - self._energy_began


def _resident_peak() -> int:
    """Peak resident bytes of this process since it was last set back."""
    found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) * 1024 if found else 0


def _energy_j(device: torch.device) -> float:
    """Joules that the GPU has used since its driver was loaded; 0 where it does not say."""
    if device.type != "cuda" or find_spec("pynvml") is None:
        return 0.0
    import pynvml

    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
    except pynvml.NVMLError:
        return 0.0
    finally:
        pynvml.nvmlShutdown()


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
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - began


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class LayerClock:
    """Context manager: seconds that each of `layers` takes, by hooks; medians over the forward passes inside.

    On CUDA by events, so that the device is not made to wait between layers.
    """

    def __init__(self, layers: nn.ModuleList, device: torch.device) -> None:
        self._layers, self._device = layers, device
        self._marks: list[list[tuple[Any, Any]]] = [[] for _ in layers]

    def __enter__(self) -> Self:
        self._handles = []
        for marks, layer in zip(self._marks, self._layers, strict=True):
            self._handles += [
                layer.register_forward_pre_hook(lambda *_, marks=marks: marks.append((self._now(), None))),
                layer.register_forward_hook(lambda *_, marks=marks: marks.append((marks.pop()[0], self._now()))),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        synchronize(self._device)

    def _now(self) -> Any:
        if self._device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    @property
    def seconds(self) -> list[float]:
        """One median for each layer."""
        return [median(self._between(*mark) for mark in marks) for marks in self._marks]

    def _between(self, began: Any, ended: Any) -> float:
        return float(began.elapsed_time(ended)) / 1e3 if self._device.type == "cuda" else float(ended - began)
