"""The tables and pictures that W&B gets of a run."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import wandb

from fastadasp.config.compose import compose_run
from fastadasp.errors import ConfigError
from fastadasp.evaluation.logged import Logged
from fastadasp.evaluation.run import evaluate
from fastadasp.evaluation.setup import validate
from fastadasp.report.logged import media
from tests.helpers.configs import SMALLEST_MODEL

Evaluated = Callable[..., tuple[Path, Mapping[str, Any]]]


@pytest.fixture
def logged(tmp_path: Path, tones: Path) -> Evaluated:
    """The folder of a run, and what W&B would get of it."""

    def run(*overrides: str) -> tuple[Path, Mapping[str, Any]]:
        found: dict[str, Any] = {}

        def taken(*given: Any) -> Mapping[str, Any]:
            found.update(media(*given))
            artifact = wandb.Artifact("predictions", "run_table")
            artifact.add(found["predictions"], "predictions")
            found["kept"] = {name.rsplit(".")[-1] for name in artifact.manifest.entries}
            return media(*given)

        common = ["hardware=cpu", "hardware.num_workers=0", "generation.max_new_tokens=6", f"output_dir={tmp_path}/out"]
        cfg, folder = compose_run(
            [*SMALLEST_MODEL, *common, "task=asr", f"task.manifest={tones}", "logger=wandb", *overrides]
        )
        evaluate(cfg, validate(cfg), taken)
        return folder, found

    return run


def test_the_table_of_predictions_holds_playable_audio_and_merge_maps(logged: Evaluated, tmp_path: Path) -> None:
    folder, found = logged("merge.ratio=0.3", "logged.clips=3", "logged.maps=1")
    table = found["predictions"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.data]
    stored = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()][:3]
    assert [(row["id"], row["text"], row["audio_tokens"]) for row in rows] == [
        (line["id"], line["text"], line["audio_tokens"]) for line in stored
    ]
    assert [row["tokens_left"] for row in rows] == [line["audio_tokens_per_layer"][-1] for line in stored]
    assert [row["merge_map"] is None for row in rows] == [False, True, True]
    assert found["kept"] == {"json", "wav", "png"}, "the table takes its sounds and pictures along"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert [row[1] for row in found["layers"].data] == [layer["tokens"] for layer in metrics["layers"]]
    names = {"pictures/tokens_per_layer", "pictures/kv_bytes_per_layer", "pictures/time"}
    assert names <= set(found)


def test_a_finished_run_shows_the_merge_maps_that_it_drew_and_draws_none(logged: Evaluated) -> None:
    folder, _ = logged("merge.ratio=0.3", "logged.maps=1")
    before = (folder / "maps" / "0.png").stat().st_mtime_ns
    again, found = logged("merge.ratio=0.3", "logged.maps=2")
    assert again == folder, "what is logged is no part of the fingerprint"
    assert [row[-1] is None for row in found["predictions"].data] == [False, True, True, True, True]
    assert (folder / "maps" / "0.png").stat().st_mtime_ns == before


def test_settings_of_what_is_logged_are_checked() -> None:
    for wrong, message in (({"flops_budget": 1.2}, "between 0 and 1"), ({"clips": -1}, "clips must be 0 or more")):
        with pytest.raises(ConfigError, match=message):
            Logged(**wrong)  # type: ignore[arg-type]
