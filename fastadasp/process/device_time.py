"""Time on the host and on a device, for all that measures: what a GPU was told to do is done later than it is told."""

import time
from typing import Any

import torch


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def now(device: torch.device) -> float:
    """Seconds on the host's clock, once the device has done all that it was told to do."""
    synchronize(device)
    return time.perf_counter()


def mark(device: torch.device) -> Any:
    """A moment in the device's own order of work, for `seconds_between`; on CUDA an event, so that nothing waits."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def seconds_between(began: Any, ended: Any) -> float:
    """Seconds from one mark to another mark of the same device; waits until the device has passed the second mark."""
    if not isinstance(ended, torch.cuda.Event):
        return float(ended - began)
    ended.synchronize()
    return float(began.elapsed_time(ended)) / 1e3
