"""Every sweep file speaks the config's language, with and without W&B."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from fastadasp.cli.sweep import main
from fastadasp.config.build import build
from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import ConfigError
from fastadasp.sweep.local import overrides
from tests.helpers.configs import composed, with_value

SWEEPS = sorted((REPOSITORY / "sweeps").glob("*.yaml"))
TASKS = sorted(
    path.stem for path in (REPOSITORY / "conf" / "task").glob("*.yaml") if "manifest: ???" not in path.read_text()
)
"""Those for which clips are bundled."""


def content(sweep: Path) -> Any:
    return yaml.safe_load(sweep.read_text())


def test_every_task_has_a_sweep_over_layers_ratios_and_methods() -> None:
    assert [sweep.stem for sweep in SWEEPS] == TASKS
    for sweep in SWEEPS:
        assert {"merge", "merge.layer", "merge.ratio"} <= set(content(sweep)["parameters"])


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.stem)
def test_every_value_of_every_parameter_builds(sweep: Path) -> None:
    cfg = composed(*(word for word in content(sweep)["command"] if not word.startswith("$")))
    assert cfg.logger.wandb.offline is False
    for key, node in content(sweep)["parameters"].items():
        for value in node["values"]:
            assert build(with_value(cfg, key, value).merge, "merge")


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.stem)
def test_the_metric_is_the_tasks_objective_and_points_the_right_way(sweep: Path) -> None:
    task = build(composed(f"task={sweep.stem}").task, "task")
    goal = "maximize" if task.higher_is_better else "minimize"
    assert content(sweep)["metric"] == {"name": task.objective, "goal": goal}
    assert content(sweep)["program"] == "run.py"


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.stem)
def test_a_grid_without_wandb_has_the_same_points(sweep: Path) -> None:
    task, *axes = overrides(sweep)
    assert task == f"task={sweep.stem}"
    assert not any("logger" in axis for axis in axes)
    parameters = content(sweep)["parameters"]
    points = {axis.split("=")[0]: axis.split("=")[1].split(",") for axis in axes}
    assert set(product(*points.values())) == set(product(*([str(v) for v in p["values"]] for p in parameters.values())))


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        ("parameters: {merge.ratio: {values: [0.1, 0.2]}}", ["merge.ratio=0.1,0.2"]),
        (
            "parameters: {merge: {parameters: {ratio: {value: 0.1}, layer: {values: [2]}}}}",
            ["merge.ratio=0.1", "merge.layer=2"],
        ),
        ("parameters: {merge.threshold: {values: [null, 0.5]}}", ["merge.threshold=null,0.5"]),
        ("command: [task=sqa, '${args_no_hyphens}']\nparameters: {seed: {values: [1]}}", ["task=sqa", "seed=1"]),
    ],
)
def test_a_grid_may_nest_its_parameters_and_leave_out_its_command(tmp_path: Path, text: str, axes: list[str]) -> None:
    sweep = tmp_path / "grid.yaml"
    sweep.write_text(text)
    assert overrides(sweep) == axes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: random\nparameters: {merge.ratio: {min: 0.0, max: 0.5}}", "method 'random' draws its points"),
        ("method: bayes\nparameters: {merge.ratio: {values: [0.5]}}", "method 'bayes' draws its points"),
        (
            "parameters: {merge.ratio: {distribution: uniform, min: 0.1, max: 0.5}}",
            "parameter merge.ratio must list its",
        ),
        ("parameters: {merge: {parameters: {ratio: {max: 0.5}}}}", "parameter merge.ratio must list its values"),
        ("parameters: {merge: {parameters: []}}", "`parameters` of merge must name one setting or more"),
        ("parameters: {merge.ratio: {values: []}}", "parameter merge.ratio must list its values"),
        ("parameters: {merge.ratio: 0.5}", "parameter merge.ratio must list its values"),
        ("command: run.py\nparameters: {seed: {value: 1}}", "`command` must be a list of words"),
        ("program: run.py", "`parameters` must name one setting or more"),
        ("[1, 2]", "must hold the keys of a W&B sweep"),
    ],
)
def test_what_a_grid_cannot_do_is_refused_by_its_name(tmp_path: Path, text: str, message: str) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(text)
    with pytest.raises(ConfigError) as error:
        overrides(sweep)
    assert message in str(error.value)
    assert str(sweep) in str(error.value)


def test_what_is_no_grid_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = tmp_path / "bayes.yaml"
    sweep.write_text("command: []\nparameters: {merge.ratio: {min: 0.0, max: 0.5}}\n")
    with pytest.raises(ConfigError, match=r"bayes\.yaml: parameter merge\.ratio must list"):
        overrides(sweep)
    broken = tmp_path / "broken.yaml"
    broken.write_text("parameters: [")
    for wrong, message in (
        (sweep, "must list its values"),
        (broken, "broken.yaml, line 1, column 14 is not YAML"),
        (tmp_path / "none.yaml", "is no file; name a sweep file"),
    ):
        with pytest.raises(SystemExit, match="1"):
            main([str(wrong)])
        assert message in capsys.readouterr().err
