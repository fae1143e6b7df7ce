"""The device's limits, against which shares are told."""

from dataclasses import dataclass
from typing import cast

import torch

from fastadasp.benchmark.journal import Journal
from fastadasp.evaluation.hardware import Hardware, Placement
from fastadasp.measuring.memory_guard import none_if_out_of_memory
from fastadasp.measuring.meters import measured_limits


@dataclass(frozen=True)
class Limits:
    """What the device can do at best."""

    flops: float
    """FLOP/s in the run's dtype."""
    bandwidth: float
    """bytes/s."""
    source: str
    """`data sheet`, or `measured` by a large matrix product and a large copy."""


class Ceiling:
    """What the device can do at best: by its data sheet, else the most that was measured at any time of the run.

    A busy machine is faster at one time than at another; measured once, it would be found to exceed its limits.
    """

    def __init__(self, hardware: Hardware, placement: Placement, journal: Journal) -> None:
        self._device, self._dtype = torch.device(placement.accelerator), getattr(torch, placement.dtype)
        self._journal = journal
        self._sheet = hardware.peak_flops, hardware.bandwidth
        self._measured = None in self._sheet
        if self._measured and journal.get(["limits"]) is None:
            journal.add(["limits"], measured_limits(self._device, self._dtype))

    def remeasure(self) -> None:
        """Measure again, where there is no data sheet."""
        found = none_if_out_of_memory(lambda: measured_limits(self._device, self._dtype)) if self._measured else None
        if found is not None:
            self._journal.add(
                ["limits"], [max(pair) for pair in zip(found, self._journal.get(["limits"]), strict=True)]
            )

    @property
    def limits(self) -> Limits:
        """The best known limits of the device."""
        if self._measured:
            flops, bandwidth = self._journal.get(["limits"])
            return Limits(flops, bandwidth, "measured")
        flops, bandwidth = self._sheet
        return Limits(cast(float, flops), cast(float, bandwidth), "data sheet")
