"""How close a run came to what its device can do: the arithmetic limit in prefill, the memory limit in decoding."""

from collections.abc import Sequence

from fastadasp.evaluation.cost import BYTES, batches, tokens_entering, warm
from fastadasp.evaluation.hardware import Hardware
from fastadasp.reduction.flops import DecoderShape, prefill_flops
from fastadasp.tasks.base import Prediction


def shares_of_limit(
    predictions: Sequence[Prediction], shape: DecoderShape, dtype: str, hardware: Hardware, beams: int
) -> dict[str, float]:
    """`prefill_mfu` and `decode_mbu` of one device, if `hardware` gives its limits; sums over the run's warm batches.

    MFU (model FLOPs utilisation): the decoder's FLOPs in prefill, of every copy of a row that was read, over what the
    device could have done in that time; the audio encoder's time counts, its FLOPs do not. MBU (memory bandwidth
    utilisation): bytes that decoding must read, the decoder's weights once a step, as many caches of a prompt as the
    engine keeps of it and what each beam has written, over what the memory could have delivered.
    """
    answered = warm(predictions)
    measured = batches(answered)
    prefill_s = sum(cost["prefill_s"] for cost in measured)
    decode_s = sum(cost["decode_s"] for cost in measured)
    reached = {}
    if hardware.peak_flops is not None and prefill_s:
        flops = sum(_copies(p, beams) * prefill_flops(tokens_entering(p), shape) for p in answered)
        reached["prefill_mfu"] = flops / (prefill_s * hardware.peak_flops)
    if hardware.bandwidth is not None and decode_s:
        steps = sum(cost["decode_steps"] for cost in measured)
        read = steps * weight_bytes(shape, dtype) + sum(
            p.cost["decode_steps"]
            * decoding_cache(
                shape, dtype, p.cached_tokens_per_layer, _copies(p, beams), beams, int(p.cost["decode_steps"])
            )
            for p in answered
        )
        reached["decode_mbu"] = read / (decode_s * hardware.bandwidth)
    return reached


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
