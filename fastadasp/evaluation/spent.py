"""Where the time of a run went."""

import numpy as np

from fastadasp.evaluation.totals import Batches

PARTS = ("read", "features", "wait", "encoder", "prefill", "decoding", "storing", "scoring")
"""In the order in which an example meets them.

read: audio is decoded and resampled; features: and turned into what the encoder takes, both in data workers where there
are any, side by side with the model; wait: the model waits for them; encoder: the audio encoder; prefill: the rest of
the prompt's forward pass; decoding: all later steps; storing: what is between the model's answers and the disk;
scoring: once, at the end.
"""


def where_time_goes(batches: Batches, scoring_s: float) -> dict[str, float]:
    """Seconds by the names of PARTS, as `time_<part>_s`; summed over the batches of all processes.

    Empty where the batches were stored by a version that did not note it.
    """
    if not len(batches) or np.isnan(batches.column("answer_s")).any():
        return {}

    def total(name: str) -> float:
        return float(np.nansum(batches.column(name)))

    encoder_s = total("encoder_s")
    parts = {
        "read": total("read_s"),
        "features": total("features_s"),
        "wait": total("wait_s"),
        "encoder": encoder_s,
        "prefill": max(0.0, total("prefill_s") - encoder_s),
        "decoding": total("decode_s") + total("capture_s"),
        "storing": total("store_s"),
        "scoring": scoring_s,
    }
    return {f"time_{name}_s": parts[name] for name in PARTS}
