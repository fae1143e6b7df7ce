"""Which processes a run has, and which GPU each of them uses."""

import logging
import os

from fastadasp.errors import ConfigError
from fastadasp.evaluation.hardware import Hardware, Placement
from fastadasp.evaluation.trainer_settings import local_processes
from fastadasp.process.cluster import Launcher, Team, team

log = logging.getLogger(__name__)

LEAST_ON_CPU = 4
"""Processes that a run may have on a CPU with fewer cores."""


def team_of(hardware: Hardware, placement: Placement) -> tuple[Team, list[int]]:
    """The processes of this run, and the number of the GPU of each that is on this machine.

    Raises ConfigError where there are fewer GPUs or cores than processes.
    """
    import torch

    gpus = torch.cuda.device_count() if placement.accelerator == "cuda" else 0
    devices = local_processes(hardware.trainer)
    if devices is None and hardware.trainer.get("devices") is not None:
        devices = max(1, gpus)  # -1 or auto: all there are
    found, remark = team(devices, hardware.trainer.get("num_nodes", 1))
    if remark is not None:
        log.warning("%s", remark)
    return found, _numbers(hardware, placement, found, gpus)


def _numbers(hardware: Hardware, placement: Placement, found: Team, gpus: int) -> list[int]:
    wanted, listed = found.local_size, hardware.trainer.get("devices")
    if placement.accelerator == "cuda":
        numbers = listed if isinstance(listed, list) else list(range(wanted))
        if gpus == 1 and found.launcher is not Launcher.here:
            return [0] * wanted  # the cluster shows each task a GPU of its own
        if max(numbers) >= gpus:
            raise ConfigError(
                f"hardware.trainer.devices={listed}, but torch sees {gpus} GPU{'s' if gpus > 1 else ''} here, numbered "
                f"from 0; use at most hardware.trainer.devices={gpus}"
            )
        return numbers
    if isinstance(listed, list):
        raise ConfigError(
            f"hardware.trainer.devices={listed} names GPUs, but the device is {placement.accelerator}; give the number "
            "of processes"
        )
    most = 1 if placement.accelerator == "mps" else max(LEAST_ON_CPU, os.cpu_count() or 1)
    if wanted > most:
        raise ConfigError(
            f"hardware.trainer.devices={wanted}, but this machine has {os.cpu_count()} processor cores, and each "
            f"process computes on its own; use at most hardware.trainer.devices={most}"
            if placement.accelerator == "cpu"
            else f"hardware.trainer.devices={wanted}, but there is one device of kind {placement.accelerator}; use 1"
        )
    return [0] * wanted
