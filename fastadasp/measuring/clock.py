"""Clocks for evaluations and benchmarks: where the time of one generate() call goes, and the time of its prefill.

All of them look on: by hooks on the model's modules, or as the watch of a `merging()` block.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Self

import torch
from torch import nn

from fastadasp.engine.encoder import find_encoder
from fastadasp.engine.halves import Layer
from fastadasp.process.device_time import mark, now, seconds_between, synchronize


class GenerationClock:
    """Context manager around `generate()`: the first forward pass (audio encoder included) is the prefill.

    The prefill begins with the first attempt at a forward pass, even one that stops after the audio encoder.
    The device is waited for at both ends of the prefill, when the first token is chosen and at the end of the call;
    decoding runs undisturbed.
    """

    prefill_s: float
    """Duration of the first forward pass."""
    ttft_s: float
    """Time to first token: from the call until the first token is chosen."""
    decode_s: float
    """From the end of the prefill to the end of the call: decoding steps and all that the host does between them."""
    decode_steps: int
    """Forward passes after the first."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model = model
        self._device = device
        self._passes = 0
        self._begun = False
        self._first_token: float | None = None

    def __enter__(self) -> Self:
        self._handles = [
            self._model.register_forward_pre_hook(self._before),
            self._model.register_forward_hook(self._after),
        ]
        self._called = self._prefill_starts = self._prefill_ends = now(self._device)
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self.prefill_s = self._prefill_ends - self._prefill_starts
        ends = now(self._device)
        self.decode_s = ends - self._prefill_ends
        self.ttft_s = (ends if self._first_token is None else self._first_token) - self._called
        self.decode_steps = max(0, self._passes - 1)

    def _before(self, *_: Any) -> None:
        if not self._begun:
            self._begun, self._prefill_starts = True, now(self._device)
        elif self._passes == 1 and self._first_token is None:
            self._first_token = now(self._device)  # the second pass reads the first token

    def _after(self, *_: Any) -> None:
        self._passes += 1
        if self._passes == 1:
            self._prefill_ends = now(self._device)


class EncoderClock:
    """Context manager: seconds that the audio encoder of `model` takes inside, 0 where it is not known.

    On CUDA by events, so that nothing waits for the device before the end.
    """

    seconds: float = 0.0

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._encoder, self._device = find_encoder(model), device
        self._marks: list[list[Any]] = []

    def __enter__(self) -> Self:
        self._handles = []
        if self._encoder is not None:
            self._handles = [
                self._encoder.register_forward_pre_hook(lambda *_: self._marks.append([mark(self._device)])),
                self._encoder.register_forward_hook(lambda *_: self._marks[-1].append(mark(self._device))),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        # A call that an exception has broken off has no end.
        self.seconds = sum(seconds_between(*marks) for marks in self._marks if len(marks) == 2)


class MergeClock:
    """Looks on while `merging(..., watch=clock)` reduces tokens: seconds of the prefills that go into reducing.

    Each time counts from when a method is asked until the tokens have moved; what a method does at later decoding steps
    does not count. On CUDA by events, so that nothing waits for the device before `seconds` is read.
    """

    def __init__(self) -> None:
        self._taken: list[tuple[Any, Any]] = []

    @contextmanager
    def reducing(self, device: torch.device) -> Iterator[None]:
        """Count the time that the block takes, unless an exception ends the block."""
        began = mark(device)
        yield
        self._taken.append((began, mark(device)))

    @property
    def seconds(self) -> float:
        """Seconds of all reductions so far; waits for the device."""
        return sum(seconds_between(*marks) for marks in self._taken)


class LayerClock:
    """Context manager: seconds that each of `layers` takes, by hooks; medians over the forward passes inside.

    On CUDA by events, so that the device is not made to wait between layers.
    """

    def __init__(self, layers: Iterable[Layer], device: torch.device) -> None:
        self._layers, self._device = list(layers), device
        self._marks: list[list[list[Any]]] = [[] for _ in self._layers]

    def __enter__(self) -> Self:
        self._handles = []
        for marks, layer in zip(self._marks, self._layers, strict=True):
            self._handles += [
                layer.register_forward_pre_hook(lambda *_, marks=marks: marks.append([mark(self._device)])),
                layer.self_attn.register_forward_hook(lambda *_, marks=marks: marks[-1].append(mark(self._device))),
                layer.post_attention_layernorm.register_forward_pre_hook(
                    lambda *_, marks=marks: marks[-1].append(mark(self._device))
                ),
                layer.register_forward_hook(lambda *_, marks=marks: marks[-1].append(mark(self._device))),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        synchronize(self._device)

    @property
    def seconds(self) -> list[float]:
        """Seconds of each layer."""
        return [median(seconds_between(marks[0], marks[-1]) for marks in layer) for layer in self._whole]

    @property
    def merge_seconds(self) -> list[float]:
        """Seconds of each layer between its attention and its MLP: the merge, and in every layer the residual sum."""
        return [median(seconds_between(marks[1], marks[-2]) for marks in layer) for layer in self._whole]

    @property
    def _whole(self) -> list[list[list[Any]]]:
        """The marks of forward passes that reached the layer's end: a proof of its structure breaks passes off."""
        return [[marks for marks in layer if len(marks) >= 4] for layer in self._marks]
