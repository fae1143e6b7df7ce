"""The energy counter of a GPU."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch


def energy_j(device: torch.device) -> float | None:
    """Joules that the whole GPU has used since its driver was loaded; None where NVML (nvidia-ml-py) does not say."""
    counter = _counter(device)
    return None if counter is None else counter()


def energy_since(began_j: float | None, device: torch.device) -> float | None:
    """Joules used since `energy_j` said `began_j`; None where either is unknown."""
    now_j = energy_j(device)
    return None if began_j is None or now_j is None else now_j - began_j


@cache
def _counter(device: torch.device) -> Callable[[], float] | None:
    """Reads a GPU's counter; None where there is no GPU, no NVML, or no such counter."""
    if device.type != "cuda" or find_spec("pynvml") is None:
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
