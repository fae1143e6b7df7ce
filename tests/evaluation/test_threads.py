"""`hardware.threads` holds for every command that loads a model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fastadasp.cli.heads import heads
from fastadasp.config.compose import compose_run
from fastadasp.evaluation.run import evaluate
from fastadasp.evaluation.setup import validate
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.selection.select import select
from tests.helpers.configs import SMALLEST_MODEL, composed

SETTINGS = (*SMALLEST_MODEL, "hardware=cpu", "hardware.threads=3", "merge.ratio=0.4")


class LoadingError(Exception):
    """The model is about to be loaded."""


def chosen_layer(tones: Path, folder: Path) -> None:
    clips = tones.with_name("calibration.jsonl")
    clips.write_text(tones.read_text())
    select(composed(*SETTINGS, "task=asr", f"selection.manifest={clips}", f"output_dir={folder}"))


def calibrated_heads(tones: Path, folder: Path) -> None:
    kinds = ["--semantic", f"task=asr task.manifest={tones}", "--acoustic", f"task=asr task.manifest={tones}"]
    heads([*kinds, f"--output={folder}/routing.json", *SETTINGS])


def a_run(tones: Path, folder: Path) -> None:
    cfg, _ = compose_run([*SETTINGS, "task=asr", f"task.manifest={tones}", f"output_dir={folder}"])
    evaluate(cfg, validate(cfg))


@pytest.mark.parametrize("command", [a_run, chosen_layer, calibrated_heads])
def test_torch_gets_its_threads_before_the_model_is_loaded(
    command: Callable[[Path, Path], None], tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def load(*_: Any, **__: Any) -> None:
        raise LoadingError

    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr(Qwen2AudioRandom, "load", load)
    with pytest.raises(LoadingError):
        command(tones, tmp_path)
    assert set(given) == {3}
