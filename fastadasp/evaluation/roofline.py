"""How close a run came to what its device can do: the arithmetic limit in prefill, the memory limit in decoding."""

from collections.abc import Sequence
from statistics import fmean

from fastadasp.evaluation.cost import BYTES, batches, tokens_entering
from fastadasp.evaluation.hardware import Hardware
from fastadasp.merge.flops import prefill_flops
from fastadasp.models.base import DecoderShape
from fastadasp.tasks.base import Prediction


def shares_of_limit(
    predictions: Sequence[Prediction], shape: DecoderShape, dtype: str, hardware: Hardware, beams: int
) -> dict[str, float]:
    """`prefill_mfu` and `decode_mbu` of one device, if `hardware` gives its limits; sums over the run.

    MFU (model FLOPs utilisation): the decoder's FLOPs in prefill over what the device could have done in that time;
    the audio encoder's time counts, its FLOPs do not. MBU (memory bandwidth utilisation): bytes that decoding must
    read, the decoder's weights once a step and every beam's cache, over what the memory could have delivered.
    """
    answered = [prediction for prediction in predictions if prediction.cost]
    measured = batches(answered)
    prefill_s = sum(cost["prefill_s"] for cost in measured)
    decode_s = sum(cost["decode_s"] for cost in measured)
    shares = {}
    if hardware.peak_flops is not None and prefill_s:
        flops = sum(prefill_flops(tokens_entering(prediction), shape) for prediction in answered)
        shares["prefill_mfu"] = flops / (prefill_s * hardware.peak_flops)
    if hardware.bandwidth is not None and decode_s:
        steps = sum(cost["decode_steps"] for cost in measured)
        read = steps * weight_bytes(shape, dtype) + sum(
            beams * prediction.cost["decode_steps"] * _cache_bytes(prediction, shape, dtype) for prediction in answered
        )
        shares["decode_mbu"] = read / (decode_s * hardware.bandwidth)
    return shares


def weight_bytes(shape: DecoderShape, dtype: str) -> int:
    """Bytes of the decoder's weight matrices that one decoding step reads: all layers and the LM head."""
    attention = 2 * shape.hidden * (shape.heads + shape.kv_heads) * shape.head_dim
    mlp = (3 if shape.gated_mlp else 2) * shape.hidden * shape.intermediate
    return (shape.layers * (attention + mlp) + shape.hidden * shape.vocab) * BYTES[dtype]


def _cache_bytes(prediction: Prediction, shape: DecoderShape, dtype: str) -> float:
    """One row's cache halfway through its batch's decoding steps."""
    per_token = 2 * shape.kv_heads * shape.head_dim * BYTES[dtype]
    prompt = fmean(tokens_entering(prediction)[:-1])
    return shape.layers * per_token * (prompt + prediction.cost["decode_steps"] / 2)
