"""Prefill and decode time of one generate() call, from outside the model."""

import time
from typing import Any, Self

import torch
from torch import nn


class GenerationClock:
    """Context manager around `generate()`: the first forward pass (audio encoder included) is the prefill, from its
    first attempt: one that is broken off once the audio is encoded counts.

    Only the two ends of the prefill and the end of the whole call wait for the device; decoding runs undisturbed.
    """

    prefill_s: float
    """Duration of the first forward pass."""
    decode_s: float
    """From the end of the prefill to the end of the call: decoding steps and all that the host does between them."""
    decode_steps: int
    """Forward passes after the first."""
    peak_bytes: int
    """Device memory in use at the worst moment, weights included; 0 where torch does not count it (CPU)."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model = model
        self._device = device
        self._passes = 0
        self._begun = False

    def __enter__(self) -> Self:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._handles = [
            self._model.register_forward_pre_hook(self._before),
            self._model.register_forward_hook(self._after),
        ]
        self._prefill_starts = self._prefill_ends = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self.prefill_s = self._prefill_ends - self._prefill_starts
        self.decode_s = self._now() - self._prefill_ends
        self.decode_steps = max(0, self._passes - 1)
        on_cuda = self._device.type == "cuda"
        self.peak_bytes = torch.cuda.max_memory_allocated(self._device) if on_cuda else 0

    def _before(self, *_: Any) -> None:
        if not self._begun:
            self._begun, self._prefill_starts = True, self._now()

    def _after(self, *_: Any) -> None:
        self._passes += 1
        if self._passes == 1:
            self._prefill_ends = self._now()

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()
