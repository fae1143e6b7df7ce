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
from fastadasp.sweep.distributions import Choice
from fastadasp.sweep.file import Goal, Method, read_sweep
from fastadasp.sweep.local import overrides
from tests.helpers.configs import composed, with_value

SWEEPS = sorted((REPOSITORY / "sweeps").glob("*.yaml"))
BUDGETS = sorted((REPOSITORY / "sweeps" / "budget").glob("*.yaml"))
EVERY = sorted((REPOSITORY / "sweeps").rglob("*.yaml"))
TASKS = sorted(
    path.stem for path in (REPOSITORY / "conf" / "task").glob("*.yaml") if "manifest: ???" not in path.read_text()
)
"""Those for which clips are bundled."""


def content(sweep: Path) -> Any:
    return yaml.safe_load(sweep.read_text())


def test_every_task_has_a_sweep_over_layers_ratios_and_methods() -> None:
    assert [sweep.stem for sweep in SWEEPS] == [sweep.stem for sweep in BUDGETS] == TASKS
    for sweep in SWEEPS:
        assert {"merge", "merge.layer", "merge.ratio"} <= set(content(sweep)["parameters"])


@pytest.mark.parametrize("file", EVERY, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_value_of_every_parameter_builds(file: Path) -> None:
    cfg = composed(*(word for word in content(file)["command"] if not word.startswith("$")))
    assert cfg.logger.wandb.offline is False
    assert build(cfg.logged, "logged")
    for key, one in read_sweep(file).parameters.items():
        node = key.split(".")[0]
        for value in one.listed if isinstance(one, Choice) else (one.at(0.0), one.at(0.5), one.at(1.0)):
            assert build(with_value(cfg, key, value)[node], node)


@pytest.mark.parametrize("file", BUDGETS, ids=lambda file: file.stem)
def test_a_search_at_a_budget_asks_for_what_its_runs_log(file: Path) -> None:
    """Each method is built under each schedule, and the search's number is logged and points the task's way."""
    cfg, sweep = composed(*read_sweep(file).settings), read_sweep(file)
    task = build(cfg.task, "task")
    assert cfg.logged.flops_budget == 0.3
    assert (sweep.method, sweep.goal) == (Method.bayes, Goal("at_budget", task.higher_is_better))
    assert {"merge", "merge.schedule", "merge.layer", "merge.ratio"} == set(sweep.parameters)
    for method in sweep.parameters["merge"].listed:
        chosen = with_value(cfg, "merge", method)
        for schedule in sweep.parameters["merge.schedule"].listed:
            assert build(with_value(chosen, "merge.schedule", schedule).merge, "merge")


def test_the_search_over_hardware_minimises_a_number_that_runs_measure() -> None:
    (file,) = (REPOSITORY / "sweeps" / "hardware").glob("*.yaml")
    sweep = read_sweep(file)
    assert sweep.goal == Goal("rtf", maximize=False)
    assert all(key.startswith("hardware.") for key in sweep.parameters)
    assert len(sweep.grid()) == 12


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
        ("method: random\nparameters: {merge.ratio: {min: 0.0, max: 0.5}}", "method: random, whose points"),
        ("method: bayes\nparameters: {merge.ratio: {values: [0.5]}}", "method: bayes, whose points"),
        (
            "parameters: {merge.ratio: {distribution: uniform, min: 0.1, max: 0.5}}",
            "parameter merge.ratio: the distribution uniform has no list of values",
        ),
        ("parameters: {merge: {parameters: {ratio: {max: 0.5}}}}", "parameter merge.ratio: max does not say"),
        ("parameters: {merge: {parameters: []}}", "merge.parameters must map at least one setting"),
        ("parameters: {merge.ratio: {values: []}}", "parameter merge.ratio.values must list at least one value"),
        ("parameters: {merge.ratio: 0.5}", "parameter merge.ratio must be a mapping such as"),
        ("command: run.py\nparameters: {seed: {value: 1}}", "`command` must list the words"),
        ("program: run.py", "parameters must map at least one setting"),
        ("[1, 2]", "holds no sweep: it needs `parameters`"),
    ],
)
def test_what_a_grid_cannot_do_is_refused_by_its_name(tmp_path: Path, text: str, message: str) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(text)
    with pytest.raises(ConfigError) as error:
        overrides(sweep)
    assert message in str(error.value)
    assert sweep.stem in str(error.value)


def test_what_is_no_grid_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = tmp_path / "bayes.yaml"
    sweep.write_text("command: []\nparameters: {merge.ratio: {min: 0.0, max: 0.5}}\n")
    with pytest.raises(ConfigError, match=r"bayes: parameter merge\.ratio: the distribution uniform has no list"):
        overrides(sweep)
    broken = tmp_path / "broken.yaml"
    broken.write_text("parameters: [")
    for wrong, message in (
        (sweep, "the distribution uniform has no list of values, which method: grid needs"),
        (broken, "broken.yaml, line 1, column 14 is not YAML"),
        (tmp_path / "none.yaml", "is no file; name a sweep file"),
    ):
        with pytest.raises(SystemExit, match="1"):
            main([str(wrong)])
        assert message in capsys.readouterr().err
