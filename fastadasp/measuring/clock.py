"""Where the time of one generate() call goes, from outside the model."""

import time
from functools import partial
from typing import Any, Self

import torch
from torch import nn

from fastadasp.engine.decoder import find_decoder
from fastadasp.engine.encoder import find_encoder
from fastadasp.reduction.method import MergeMethod, Site


class GenerationClock:
    """Context manager around `generate()`: the first forward pass (audio encoder included) is the prefill, from its
    first attempt: one that is broken off once the audio is encoded counts.

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
        self._called = self._prefill_starts = self._prefill_ends = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self.prefill_s = self._prefill_ends - self._prefill_starts
        ends = self._now()
        self.decode_s = ends - self._prefill_ends
        self.ttft_s = (ends if self._first_token is None else self._first_token) - self._called
        self.decode_steps = max(0, self._passes - 1)

    def _before(self, *_: Any) -> None:
        if not self._begun:
            self._begun, self._prefill_starts = True, self._now()
        elif self._passes == 1 and self._first_token is None:
            self._first_token = self._now()  # the second pass reads the first token

    def _after(self, *_: Any) -> None:
        self._passes += 1
        if self._passes == 1:
            self._prefill_ends = self._now()

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


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
                self._encoder.register_forward_pre_hook(lambda *_: self._marks.append([_mark(self._device)])),
                self._encoder.register_forward_hook(lambda *_: self._marks[-1].append(_mark(self._device))),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        # A call that an exception has broken off has no end.
        self.seconds = sum(_between(*marks) for marks in self._marks if len(marks) == 2)


class MergeClock:
    """Context manager: seconds of the prefills inside that go into reducing tokens.

    Each time from when the method is asked until the layer goes on (with its MLP; at site `input`, with layer 0's
    attention). On CUDA by events, so that nothing waits for the device before the end. What a method does at later
    steps does not count.
    """

    seconds: float

    def __init__(self, model: nn.Module, method: MergeMethod) -> None:
        self._layers, self._method = find_decoder(model).layers, method
        self._stages = method.stages()
        self._began: Any = None
        self._taken: list[tuple[Any, Any]] = []

    def __enter__(self) -> Self:
        # The dataclasses are frozen, but their instances can be given methods of their own for a while.
        for stage in self._stages:
            object.__setattr__(stage, "assign", partial(self._assign, stage, stage.assign))
        object.__setattr__(self._method, "stages", lambda: self._stages)  # some are made anew by each call
        return self

    def __exit__(self, *_: object) -> None:
        if self._began is not None:  # an exception has broken the prefill off
            self._going_on.remove()
        for stage in self._stages:
            stage.__dict__.pop("assign", None)
        self._method.__dict__.pop("stages", None)
        self.seconds = sum(_between(*marks) for marks in self._taken)

    def _assign(self, stage: MergeMethod, assign: Any, state: Any) -> Any:
        self._end()  # an eviction at the same layer, which the layer does not go on from
        layer = self._layers[state.layer]
        goes_on = layer.input_layernorm if stage.site is Site.input else layer.post_attention_layernorm
        self._going_on = goes_on.register_forward_pre_hook(lambda *_: self._end())
        self._device = state.hidden_BTD.device  # layers may be spread over several
        self._began = _mark(self._device)
        return assign(state)

    def _end(self) -> None:
        if self._began is not None:
            self._taken.append((self._began, _mark(self._device)))
            self._began = None
            self._going_on.remove()


def _mark(device: torch.device) -> Any:
    """This moment: of the host, or of what `device` has been told to do."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def _between(began: Any, ended: Any) -> float:
    if not isinstance(ended, torch.cuda.Event):
        return float(ended - began)
    ended.synchronize()
    return float(began.elapsed_time(ended)) / 1e3
