"""Where the time of a run went."""

from collections.abc import Mapping

import numpy as np

from fastadasp.evaluation.totals import Batches

PARTS = {
    "read": "reading audio",
    "features": "features",
    "wait": "waiting for either",
    "encoder": "encoder",
    "prefill": "prefill",
    "decoding": "decoding",
    "other": "inputs and answers",
    "scoring": "scoring",
}
"""In the order in which an example meets them, with words for them.

read: audio is decoded and resampled; features: and turned into what the encoder takes, both in data workers where there
are any, side by side with the model; wait: the model waits for them; encoder: the audio encoder; prefill: the rest of
the prompt's forward pass; decoding: all later steps; other: inputs are put together, answers are read; scoring: once,
at the end.
"""


def where_time_goes(batches: Batches, scoring_s: float) -> dict[str, float]:
    """Seconds by the names of PARTS, as `time_<part>_s`, summed over the batches of all processes.

    With a cache of encoder outputs also `clips_known`: how many clips the encoder did not read.

    Empty where the batches were stored by a version that did not note them.
    """
    if not len(batches) or np.isnan(batches.column("answer_s")).all():
        return {}

    def total(name: str) -> float:
        return float(np.nansum(batches.column(name)))

    encoder_s, prefill_s = total("encoder_s"), total("prefill_s")
    decoding_s = total("decode_s") + total("capture_s")
    parts = {
        **{name: total(f"{name}_s") for name in ("read", "features", "wait")},
        "encoder": encoder_s,
        "prefill": max(0.0, prefill_s - encoder_s),
        "decoding": decoding_s,
        "other": max(0.0, total("answer_s") - prefill_s - decoding_s),
        "scoring": scoring_s,
    }
    known = batches.column("clips_known")
    cached = {} if np.isnan(known).all() else {"clips_known": int(np.nansum(known))}
    return {f"time_{name}_s": parts[name] for name in PARTS} | cached


def described(cost: Mapping[str, float]) -> str | None:
    """The parts of a run's time in words; None where they were not noted. What workers do beside the model is apart."""
    if "time_encoder_s" not in cost:
        return None
    own = [name for name in PARTS if name not in ("read", "features")]
    total = sum(cost[f"time_{name}_s"] for name in own) or 1.0
    beside = f"(read {cost['time_read_s']:.1f} s, features {cost['time_features_s']:.1f} s)"
    known = f"; {cost['clips_known']:.0f} clips known to the encoder's cache" if cost.get("clips_known") else ""
    return ", ".join(f"{PARTS[name]} {cost[f'time_{name}_s'] / total:.0%}" for name in own) + f" {beside}{known}"
