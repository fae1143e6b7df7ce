"""How much fits: the largest batch and the longest audio in a given memory."""

from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from fastadasp.benchmark.contenders import Contender, answer
from fastadasp.benchmark.shapes import SpeechShape, prompt
from fastadasp.measuring.memory_guard import none_if_out_of_memory

MOST_ROWS, MOST_SECONDS = 1024, 7200
MEMORY_FRACTION = 0.95
"""Of the device's memory, at most: the rest is for what torch's allocator does not see, such as the CUDA context."""


def largest(fits: Callable[[int], bool], step: int, most: int) -> int:
    """The largest multiple of `step` up to `most` that fits, 0 if not even one; what fits must only get harder."""
    low, high = 0, 1
    while high * step <= most and fits(high * step):
        low, high = high, high * 2
    high = min(high, most // step + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * step) else (low, middle)
    return low * step


def capacity(
    model: PreTrainedModel,
    shape: SpeechShape,
    contender: Contender,
    *,
    beams: int,
    seconds: float,
    memory_gib: float | None,
) -> dict[str, int]:
    """Largest batch of `seconds` of audio, and longest audio of one row, that a GPU answers without running out."""
    device = model.device
    total = torch.cuda.get_device_properties(device).total_memory
    fraction = MEMORY_FRACTION if memory_gib is None else min(MEMORY_FRACTION, memory_gib * 2**30 / total)
    torch.cuda.set_per_process_memory_fraction(fraction, device)

    def fits(rows: int, length: float) -> bool:
        torch.cuda.empty_cache()
        done = none_if_out_of_memory(
            lambda: answer(model, contender, prompt(shape, length, rows, model), beams, new_tokens=4)
        )
        return done is not None

    try:
        return {
            "rows": largest(lambda rows: fits(rows, seconds), 1, MOST_ROWS),
            "seconds": largest(lambda length: fits(1, length), 30, MOST_SECONDS),
        }
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
