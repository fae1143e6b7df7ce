"""The device's limits, against which shares are told."""

from typing import cast

import torch

from fastadasp.benchmark.figures import Limits
from fastadasp.benchmark.journal import Journal
from fastadasp.benchmark.meters import measured_limits
from fastadasp.benchmark.room import attempt
from fastadasp.evaluation.hardware import Hardware, Placement


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

    def look(self) -> None:
        """Measure again, where there is no data sheet."""
        found = attempt(lambda: measured_limits(self._device, self._dtype)) if self._measured else None
        if found is not None:
            self._journal.add(
                ["limits"], [max(pair) for pair in zip(found, self._journal.get(["limits"]), strict=True)]
            )

    @property
    def limits(self) -> Limits:
        """As far as known."""
        if self._measured:
            flops, bandwidth = self._journal.get(["limits"])
            return Limits(flops, bandwidth, "measured")
        flops, bandwidth = self._sheet
        return Limits(cast(float, flops), cast(float, bandwidth), "data sheet")
