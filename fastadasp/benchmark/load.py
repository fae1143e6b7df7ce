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
    import torch  # noqa: F401
    import transformers  # noqa: F401

    from fastadasp.evaluation.hardware import load, resolve

    placement = resolve(hardware)
    began = time.perf_counter()
    load(adapter, placement)
    return time.perf_counter() - began


if __name__ == "__main__":
    with readable_errors():
        Path(sys.argv[1]).write_text(json.dumps({"load_s": load_seconds(sys.argv[2:])}), encoding="utf-8")
