"""`python -m fastadasp.selection` and `merge.layer=auto`, end to end with random weights."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fastadasp.cli.select import FOLDERS
from fastadasp.config.build import build
from fastadasp.config.chosen_layer import selection_folder, with_chosen_layer
from fastadasp.config.compose import compose
from fastadasp.errors import ConfigError
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.selection.select import select
from tests.helpers.configs import SMALLEST_MODEL, composed
from tests.helpers.warm import warm


def test_a_choice_is_kept_and_used_by_runs_that_ask_for_it(
    evaluate: Callable[..., tuple[Path, float]], tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = tones.with_name("calibration.jsonl")
    clips.write_text("".join(tones.read_text().splitlines(keepends=True)[2:]))
    scored = tones.with_name("scored.jsonl")
    scored.write_text("".join(tones.read_text().splitlines(keepends=True)[:2]))
    settings = ("task=asr", "merge.schedule=once", "merge.ratio=0.4", f"selection.manifest={clips}")
    auto = (*settings, f"task.manifest={scored}", "merge.layer=auto")
    with pytest.raises(ConfigError, match="no layer has been chosen yet"):
        evaluate(*auto)
    cfg = composed(
        *SMALLEST_MODEL, "hardware=cpu", f"output_dir={tmp_path}/out", *settings, "selection.least_saved=0.3"
    )
    layer = select(cfg)
    content = json.loads((selection_folder(cfg) / "selection.json").read_text())
    assert (content["chosen"]["layer"], content["clips"]) == (layer, 3)
    assert [one["layer"] for one in content["layers"]] == [0, 1, 2, 3]
    saved = [one["saved"] for one in content["layers"]]
    assert saved == sorted(saved, reverse=True)
    assert (selection_folder(cfg) / "selection.png").stat().st_size > 0
    assert f"| **{layer}** |" in (selection_folder(cfg) / "selection.md").read_text()
    with pytest.raises(ConfigError, match="no layer has been chosen yet"):
        evaluate(*auto)  # other settings of the selection, another choice
    folder, _ = evaluate(*auto, "selection.least_saved=0.3")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["reduction"]["layer"] == layer
    file = selection_folder(cfg) / "selection.json"
    whole = file.read_text()
    for damaged in ("", whole[:-40], whole.replace('"layer": ', '"layer": "x', 1), "[]", '{"chosen": {}}'):
        file.write_text(damaged)
        with pytest.raises(ConfigError, match=r"does not hold the layer that was chosen .* run `python -m"):
            evaluate(*auto, "selection.least_saved=0.3")
    assert select(cfg) == layer, "a damaged choice is made again"
    assert file.read_text() == whole
    monkeypatch.setattr(Qwen2AudioRandom, "load", lambda *_, **__: pytest.fail("it has been chosen"))
    assert select(cfg) == layer


def test_a_chain_takes_the_chosen_layer_where_its_decoder_method_names_another(tmp_path: Path) -> None:
    cfg = composed("merge=chain", "merge@merge.decoder=fastv", "merge.layer=auto", f"output_dir={tmp_path}")
    assert cfg.merge.decoder.layer == 1
    file = selection_folder(cfg) / "selection.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"chosen": {"layer": 3}}))
    assert build(with_chosen_layer(cfg).merge, "merge").stages()[0].layer == 3


def test_the_clips_that_are_scored_are_refused(tones: Path) -> None:
    with pytest.raises(ConfigError, match=r"selection\.manifest must be given"):
        select(composed(*SMALLEST_MODEL, "task=asr", f"output_dir={tones.parent}"))
    same = composed("task=asr", f"task.manifest={tones}", f"selection.manifest={tones}", f"output_dir={tones.parent}")
    with pytest.raises(ConfigError, match="holds the very clips that are scored"):
        select(same)


def test_the_command_line_takes_the_keys_of_a_run_and_leaves_no_runs_folder(tmp_path: Path) -> None:
    settings = ["task=er", "model=qwen2_audio_random", f"output_dir={tmp_path}", "merge.ratio=0.3"]
    process = warm("-m", "fastadasp.selection", *settings)
    assert "selection.manifest must be given" in process.communicate()[1]
    assert process.returncode == 1
    assert [folder.name for folder in tmp_path.iterdir()] == ["selection"]


def test_hydra_writes_a_choice_and_its_own_files_below_the_output_folder(tmp_path: Path) -> None:
    cfg = compose("task=er", f"output_dir={tmp_path}/out", *FOLDERS, hydra=True)
    assert Path(cfg.hydra.run.dir) == selection_folder(cfg) == Path(cfg.hydra.sweep.dir, cfg.hydra.sweep.subdir)
    assert Path(cfg.hydra.sweep.dir) == tmp_path / "out" / "selection", "multirun.yaml goes there"
