"""A small grid in one process against the same runs one by one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fastadasp.cli import new
from fastadasp.config import paths
from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import ConfigError
from fastadasp.grid import spec
from fastadasp.grid.__main__ import main
from fastadasp.grid.runner import Runner
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from tests.helpers.configs import METHODS, SMALLEST_MODEL, composed

GRID = """
title: Two methods
settings: [{model}, hardware=cpu, hardware.batch_size=3, generation.max_new_tokens=6, merge.layer=0]
tasks: [asr]
amounts: [0.04, 0.9]
full_tokens: [merge=none]
methods:
  - {{name: ours, settings: [merge=fastadasp]}}
  - {{name: at the input, settings: [merge=samp]}}
  - {{name: cache, settings: [merge=knorm, merge.layer=0], amount: merge.ratio}}
"""


def answers(folder: Path) -> list[dict[str, object]]:
    lines = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
    return [{key: value for key, value in line.items() if key != "cost"} for line in lines]


def test_a_grid_gets_what_single_runs_get_and_says_what_could_not_run(
    evaluate: Callable[..., tuple[Path, float]], tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = tmp_path / "grid.yaml"
    file.write_text(GRID.format(model=", ".join(SMALLEST_MODEL)))
    loads = []
    build = Qwen2AudioRandom._build_model
    monkeypatch.setattr(
        Qwen2AudioRandom, "_build_model", lambda self, **place: (loads.append(place), build(self, **place))[1]
    )
    command = [str(file), "--out", str(tmp_path / "report"), "--resamples", "50", f"task.manifest={tones}"]
    main([*command, f"output_dir={tmp_path}/grid"])
    assert len(loads) == 1, "five runs, one set of weights"
    printed = capsys.readouterr().out
    assert "asr: ours, 0.9: not run: merge.flops_reduction=0.9 is out of reach" in printed
    report = json.loads((tmp_path / "report" / "asr-qwen2_audio_random.json").read_text())
    assert {name: len(row) for name, row in report["rows"].items()} == {"ours": 1, "at the input": 1, "cache": 2}
    common = ("task=asr", f"task.manifest={tones}", "hardware.batch_size=3", "merge.layer=0")
    for settings in (["merge=none"], ["merge=fastadasp", "merge.flops_reduction=0.04"],
                     ["merge=samp", "merge.flops_reduction=0.04"], ["merge=knorm", "merge.ratio=0.9"]):  # fmt: skip
        folder, _ = evaluate(*common, *settings)
        assert answers(folder) == answers(tmp_path / "grid" / folder.relative_to(tmp_path / "out"))
    loads.clear()
    main([*command, f"output_dir={tmp_path}/grid"])
    assert not loads, "a finished grid is only read"
    capsys.readouterr()
    main([*command, f"output_dir={tmp_path}/grid", "--rows", "cache"])
    printed = capsys.readouterr().out
    assert "asr: cache, 0.9: wer" in printed and "asr: ours, 0.04: wer" not in printed
    again = json.loads((tmp_path / "report" / "asr-qwen2_audio_random.json").read_text())
    assert again["rows"] == report["rows"], "the other rows are those of the report that stood there"
    with pytest.raises(SystemExit):
        main([*command, "--rows", "cash"])
    assert "--rows names cash, which" in capsys.readouterr().err


def test_a_grid_of_which_a_cell_fails_runs_the_others_and_does_not_end_with_status_0(
    tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "grid.yaml"
    broken = "  - {name: broken, settings: [merge=fastadasp, model.audio_weight=nonsense]}\n"
    file.write_text(GRID.format(model=", ".join(SMALLEST_MODEL)).replace("  - {name: at", broken + "  - {name: at"))
    command = [str(file), "--out", str(tmp_path / "report"), "--resamples", "50", f"task.manifest={tones}"]
    with pytest.raises(SystemExit, match="1"):
        main([*command, f"output_dir={tmp_path}/grid", "task.limit=2"])
    printed = capsys.readouterr()
    assert "asr: broken, 0.04: not run: failed: " in printed.out
    assert "2 of 9 cells failed" in printed.err
    assert "asr: ours, 0.04" in printed.out.split("broken, 0.9")[0], "cells before the failed one"
    assert "at the input, 0.04: wer" in printed.out, "and after it"


def test_a_method_that_no_row_names_gets_a_row_by_its_site(tmp_path: Path) -> None:
    new.write("method", "loudest", tmp_path / "own")
    others = sorted(set(METHODS) - {"tova", "fastadasp", "samp", "knorm"})
    file = tmp_path / "grid.yaml"
    file.write_text(GRID.format(model="model=tiny") + f"all_but: [{', '.join(others)}]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "own_folders", lambda: [tmp_path / "own"])
        patch.syspath_prepend(tmp_path / "own")
        rows = spec.read(file).rows()
    assert [row.name for row in rows] == ["ours", "at the input", "cache", "loudest", "tova"]
    assert [row.amount for row in rows[-2:]] == ["merge.flops_reduction", "merge.ratio"]
    file.write_text(GRID.format(model="model=tiny") + "all_but: [touva]\n")
    with pytest.raises(ConfigError, match="all_but names methods that do not exist: touva"):
        spec.read(file).rows()


def test_every_method_has_a_row_in_the_tables_or_is_left_out_by_name() -> None:
    grid = spec.read(REPOSITORY / "experiments" / "grids" / "tiny.yaml")
    named = {setting.removeprefix("merge=") for row in grid.rows() for setting in row.settings}
    assert set(METHODS) == (named & set(METHODS)) | set(grid.all_but or ())


def test_the_grids_of_the_repository_compose_cell_by_cell() -> None:
    for file in sorted(REPOSITORY.glob("experiments/grids/*.yaml")):
        cells = list(spec.read(file).cells())
        assert len({cell.settings for cell in cells}) == len(cells) > 30
        for cell in cells[:: len(cells) // 12]:
            assert composed(*cell.settings).hydra.runtime.choices.task == cell.task


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "must hold a mapping with title, settings"),
        ("{title: x, amount: 3}", r"grid\.amount does not exist; did you mean amounts\?"),
        ("{title: x}", r"grid\.amounts, grid\.full_tokens, .* must be given"),
        ("a: [", r"grid\.yaml, line 1, column 5 is not YAML"),
        ("title: x\ntitle: y", "line 2, column 1 is not YAML: key 'title' stands twice"),
        ("\xff", "not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_grid_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError, match=message):
        spec.read(file)
    with pytest.raises(ConfigError, match="is no file"):
        spec.read(tmp_path / "none.yaml")


def test_weights_that_change_while_a_grid_runs_are_loaded_anew(tmp_path: Path, tones: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    adapter = Qwen2AudioRandom(layers=3, hidden=32, intermediate=48, encoder_layers=1)
    for seed in (0, 1):
        model = replace(adapter, weight_seed=seed)._build_model(
            device="cpu", dtype="float32", attention="sdpa", device_map=None
        )
        model.save_pretrained(checkpoint / str(seed))
        adapter.processor.save_pretrained(checkpoint / str(seed))
    settings = ("model=tiny", f"model.path={tmp_path}/used", "task=asr", f"task.manifest={tones}", "task.limit=2")
    settings += ("merge=none", "generation.max_new_tokens=6", "hardware=cpu", f"output_dir={tmp_path}/out")
    runner, texts = Runner(), []
    for seed in (0, 1, 0):
        (tmp_path / "used").unlink(missing_ok=True)
        (tmp_path / "used").symlink_to(checkpoint / str(seed))
        outcome = runner.run(spec.Cell("asr", "full tokens", None, settings))
        assert outcome.problem is None
        texts.append([line["text"] for line in answers(outcome.folder)])
    assert texts[0] == texts[2] != texts[1]
