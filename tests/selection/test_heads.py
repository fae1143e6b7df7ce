"""Calibration of HeadRouter on a tiny random model."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fastadasp import HeadRouter
from fastadasp.cli.heads import heads as main
from fastadasp.errors import ConfigError
from fastadasp.merge.head_router import Routing
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.selection.heads import _prompt, answer_loss
from fastadasp.tasks.asr import ASR
from tests.helpers.configs import SMALLEST_MODEL


@torch.no_grad()
def test_the_loss_without_reduction_is_that_of_one_plain_pass(tones: Path) -> None:
    adapter = Qwen2AudioRandom(layers=3)
    model = adapter.load(device="cpu", dtype="float32", attention="sdpa")
    inputs, answer = _prompt(adapter, ASR(manifest=tones).examples()[2])
    whole = {name: value for name, value in inputs.items() if name not in ("input_ids", "attention_mask")}
    ids = torch.cat([inputs["input_ids"], answer], 1)
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), **whole).logits[0, -answer.shape[1] - 1 : -1]
    expected = torch.nn.functional.cross_entropy(logits, answer[0])
    assert answer_loss(adapter, HeadRouter(layer=1), inputs, answer) == pytest.approx(float(expected), abs=1e-5)
    assert answer_loss(adapter, HeadRouter(layer=1, ratio=0.6), inputs, answer) != pytest.approx(
        float(expected), abs=1e-5
    )


def test_what_calibration_writes_routes_a_run(tones: Path, tmp_path: Path) -> None:
    output = tmp_path / "routing.json"
    kinds = [f"--{kind}=task=asr task.manifest={tones}" for kind in ("semantic", "acoustic")]
    settings = [*SMALLEST_MODEL, "hardware=cpu", "merge.ratio=0.8", "merge.prefilter=0"]
    main([*kinds, "--clips=5", f"--output={output}", *settings])
    routing = json.loads(output.read_text())
    assert routing["layer"] == 1
    assert routing["width"] > 0
    assert routing["centroids"]["semantic"] == routing["centroids"]["acoustic"] == routing["centroids"]["uniform"]
    for weights in routing["weights"].values():
        assert len(weights) == 4
        assert sum(weights) == pytest.approx(1)
        assert min(weights) >= 0
    assert routing["weights"]["semantic"] != routing["weights"]["uniform"]
    adapter = Qwen2AudioRandom(layers=4, hidden=32, intermediate=48, encoder_layers=1)
    adapter.load(device="cpu", dtype="float32", attention="sdpa")
    prompt = _prompt(adapter, ASR(manifest=tones).examples()[-1])
    routed, plain = (HeadRouter(ratio=0.9, layer=1, prefilter=0.0, routing=file) for file in (str(output), None))
    assert answer_loss(adapter, routed, *prompt) != answer_loss(adapter, plain, *prompt)


def test_calibration_for_a_dense_task_is_of_one_layer_and_its_file_routes_a_run(
    tones: Path, tmp_path: Path, evaluate: Callable[..., tuple[Path, float]]
) -> None:
    output = tmp_path / "routing.json"
    kinds = [f"--{kind}=task=asr task.manifest={tones} merge.schedule=constant" for kind in ("semantic", "acoustic")]
    main([*kinds, "--clips=1", f"--output={output}", *SMALLEST_MODEL, "hardware=cpu", "merge.ratio=0.5"])
    routing = Routing(**json.loads(output.read_text()))
    assert routing.width == 1e-6  # one clip, both kinds alike, one layer: spreads that do not differ
    run = ("task=asr", f"task.manifest={tones}", "merge=head_router", "merge.ratio=0.5", f"merge.routing={output}")
    folder, _ = evaluate(*run)
    assert json.loads((folder / "metrics.json").read_text())["failed"] == 0
    with pytest.raises(ConfigError, match=r"was calibrated for one layer, but merge\.schedule=constant"):
        evaluate(*run, "merge.schedule=constant")


def test_calibration_needs_a_ratio(tones: Path, tmp_path: Path) -> None:
    kinds = [f"--{kind}=task=asr task.manifest={tones}" for kind in ("semantic", "acoustic")]
    with pytest.raises(ConfigError, match=re.escape("merge.ratio must be above 0")):
        main([*kinds, f"--output={tmp_path / 'x.json'}", *SMALLEST_MODEL])
