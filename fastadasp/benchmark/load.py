"""Load one model and note how long that took: `python -m fastadasp.benchmark.load FILE model=tiny hardware=cpu`."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.config.messages import readable_errors


def load_seconds(overrides: Sequence[str]) -> float:
    """Seconds in which the model of `python run.py <overrides>` is loaded; the libraries' import is not among them."""
    cfg = compose(*overrides)
    adapter, hardware = build(cfg.model, "model"), build(cfg.hardware, "hardware")
    import torch
    import transformers  # noqa: F401

    from fastadasp.evaluation.hardware import resolve

    placement = resolve(hardware)
    if hardware.threads is not None:
        torch.set_num_threads(hardware.threads)
    began = time.perf_counter()
    adapter.load(
        device=placement.accelerator,
        dtype=placement.dtype,
        attention=placement.attention,
        device_map=hardware.device_map,
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    with readable_errors():
        Path(sys.argv[1]).write_text(json.dumps({"load_s": load_seconds(sys.argv[2:])}), encoding="utf-8")
