"""NVML through a stand-in: there, not there, and refusing."""

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest
import torch

from fastadasp.measuring import energy

GPU = torch.device("cuda")


class NVMLError(Exception):
    """What NVML raises."""


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A pynvml whose counter goes on by 5 J at every look."""
    module = ModuleType("pynvml")
    module.__spec__ = ModuleSpec("pynvml", None)
    counter = iter(range(0, 10**6, 5000))
    module.NVMLError = NVMLError
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetHandleByUUID = lambda uuid: {"GPU-abc": "handle"}[uuid]
    module.nvmlDeviceGetTotalEnergyConsumption = lambda handle: next(counter)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="abc"))
    energy._counter.cache_clear()
    yield module
    energy._counter.cache_clear()


def test_joules_between_two_looks(nvml: ModuleType) -> None:
    began_j = energy.energy_j(GPU)
    assert began_j is not None
    assert energy.energy_since(began_j, GPU) == 5.0
    assert energy.energy_j(torch.device("cpu")) is None


@pytest.mark.parametrize("refusing", ["nvmlInit", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetTotalEnergyConsumption"])
def test_a_gpu_that_does_not_tell(nvml: ModuleType, refusing: str) -> None:
    def refuse(*_: object) -> None:
        raise NVMLError

    setattr(nvml, refusing, refuse)
    assert energy.energy_j(GPU) is None
    assert energy.energy_since(None, GPU) is None


def test_without_the_package(nvml: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "find_spec", lambda _: None)
    assert energy.energy_j(GPU) is None
