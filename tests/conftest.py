"""What all tests share: no network, one thread, and tiny runs through the real configuration."""

import json
import os
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", WANDB_MODE="offline", TOKENIZERS_PARALLELISM="false")
os.environ["FASTADASP_CACHE"] = ""  # digests of files are computed anew; tests/config/test_content.py keeps some
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models run fastest on one thread

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, settings

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # Triton reads it once, when anything first imports it

from fastadasp.config.compose import compose_run
from fastadasp.evaluation.setup import validate
from tests.helpers.configs import SMALLEST_MODEL
from tests.helpers.crossing import enough

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark `slow` what tests marked `crossed` have beyond the cases that are enough for a first look."""
    crossed: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("crossed"):
            crossed[item.nodeid.partition("[")[0]].append(item)
    for cases in crossed.values():
        kept = enough([case.callspec.indices for case in cases])
        for case in (case for position, case in enumerate(cases) if position not in kept):
            case.add_marker("slow")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine only."""
    connect = socket.socket.connect

    def local_connect(self: socket.socket, address: Any) -> None:
        local = self.family == socket.AF_UNIX or address[0] in ("localhost", "127.0.0.1", "::1", socket.gethostname())
        if not local:
            raise OSError(f"tests must not use the network, but something connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_connect)


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., tuple[Path, float]]:
    """`run.py` without its process: evaluates overrides, returns the run's folder and the objective."""

    def run(*overrides: str) -> tuple[Path, float]:
        from fastadasp.evaluation.run import evaluate

        common = ("hardware=cpu", "hardware.num_workers=0", "generation.max_new_tokens=6", f"output_dir={tmp_path}/out")
        cfg, folder = compose_run([*SMALLEST_MODEL, *common, *overrides])
        return folder, evaluate(cfg, validate(cfg))

    return run


@pytest.fixture
def tones(tmp_path: Path) -> Iterator[Path]:
    """A manifest for `asr`: five tones of 0.2 to 1 s, as 16 kHz WAV."""
    folder = tmp_path / "tones"
    folder.mkdir()
    lines = []
    for number in range(1, 6):
        seconds = number * 0.2
        time_s = np.arange(int(seconds * 16000)) / 16000
        soundfile.write(folder / f"{number}.wav", 0.3 * np.sin(2 * np.pi * 110 * number * time_s), 16000)
        lines.append(
            {"id": f"tone-{number}", "audio": f"{number}.wav", "seconds": seconds, "text": f"tone number {number}"}
        )
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    yield manifest
