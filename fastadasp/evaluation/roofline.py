"""How close a run came to what its device can do: the arithmetic limit in prefill, the memory limit in decoding."""

from array import array
from collections.abc import Sequence

import numpy as np

from fastadasp.evaluation.cost import BYTES
from fastadasp.evaluation.hardware import Hardware
from fastadasp.evaluation.totals import Batches, Total, tokens_entering
from fastadasp.reduction.flops import DecoderShape, prefill_flops
from fastadasp.tasks.base import Prediction


class Limits(Total):
    """`prefill_mfu` and `decode_mbu` of one device, if `hardware` gives its limits; sums over the run's warm batches.

    MFU (model FLOPs utilisation): the decoder's FLOPs in prefill, of every copy of a row that was read, over what the
    device could have done in that time; the audio encoder's time counts, its FLOPs do not. MBU (memory bandwidth
    utilisation): bytes that decoding must read, the decoder's weights once a step, as many caches of a prompt as the
    engine keeps of it and what each beam has written, over what the memory could have delivered.
    """

    def __init__(self, shape: DecoderShape, dtype: str, hardware: Hardware, beams: int) -> None:
        self._shape, self._dtype, self._hardware, self._beams = shape, dtype, hardware, beams
        self._flops, self._read = array("d"), array("d")

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Add the FLOPs of the prefill and the bytes of the caches of each prediction whose batch was measured."""
        measured = [prediction for prediction in predictions if prediction.cost]
        if self._hardware.peak_flops is not None and measured:
            copies_N = np.array([_copies(prediction, self._beams) for prediction in measured])
            flops_N = prefill_flops(list(tokens_entering(measured)), self._shape)
            self._flops.extend(copies_N * flops_N)
        if self._hardware.bandwidth is not None:
            self._read.extend(map(self._cache_read, measured))

    def _cache_read(self, prediction: Prediction) -> float:
        copies, steps = _copies(prediction, self._beams), int(prediction.cost["decode_steps"])
        cache = prediction.cached_tokens_per_layer
        return steps * decoding_cache(self._shape, self._dtype, cache, copies, self._beams, steps)

    def shares(self, batches: Batches) -> dict[str, float]:
        """The shares, of the same predictions as `batches`."""
        shares: dict[str, float] = {}
        if not len(batches):
            return shares
        warm_N = batches.warm
        prefill_s, decode_s, steps = (
            float(batches.column(name, warm=True).sum()) for name in ("prefill_s", "decode_s", "decode_steps")
        )
        if self._hardware.peak_flops is not None and prefill_s:
            flops = float(np.asarray(self._flops)[warm_N].sum())
            shares["prefill_mfu"] = flops / (prefill_s * self._hardware.peak_flops)
        if self._hardware.bandwidth is not None and decode_s:
            read = steps * weight_bytes(self._shape, self._dtype) + float(np.asarray(self._read)[warm_N].sum())
            shares["decode_mbu"] = read / (decode_s * self._hardware.bandwidth)
        return shares


def weight_bytes(shape: DecoderShape, dtype: str) -> int:
    """Bytes of the decoder's weight matrices that one decoding step reads: all layers and the LM head."""
    attention = 2 * shape.hidden * (shape.heads + shape.kv_heads) * shape.head_dim
    mlp = (3 if shape.gated_mlp else 2) * shape.hidden * shape.intermediate
    return (shape.layers * (attention + mlp) + shape.hidden * shape.vocab) * BYTES[dtype]


def decoding_cache(
    shape: DecoderShape, dtype: str, prompt: Sequence[int], copies: int, beams: int, steps: int
) -> float:
    """Bytes of keys and values that one row's beams read at a step, on average over `steps` steps.

    prompt: tokens that each layer has cached of the prompt, which is there `copies` times; a beam's own come to that.
    """
    per_token = 2 * shape.kv_heads * shape.head_dim * BYTES[dtype]
    return per_token * (copies * sum(prompt) + beams * shape.layers * steps / 2)


def _copies(prediction: Prediction, beams: int) -> int:
    return int(prediction.cost.get("prompt_copies", beams))
