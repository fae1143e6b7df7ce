"""How a search chooses its points: none twice, the nearest unseen one, and a stored grid's best by half of it."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution

from experiments.tools.searches import needed, numbers_in, read_grid, search
from fastadasp.config.compose import compose
from fastadasp.config.paths import REPOSITORY
from fastadasp.sweep import search as worker
from fastadasp.sweep.command import Asked, sweep
from fastadasp.sweep.distributions import distribution
from fastadasp.sweep.file import Method, Sweep
from fastadasp.sweep.sampling import Seeded, unseen
from fastadasp.sweep.space import configured, settings, size, space

STORED = REPOSITORY / "experiments" / "results" / "sweep_search"
TEXT = """
method: bayes
run_cap: 7
metric: {name: score, goal: maximize}
parameters:
  merge: {values: [fastadasp, frame]}
  merge.layer: {values: [0, 2, 4]}
command: [task=sqa]
"""


def described(method: Method, **nodes: dict[str, object]) -> Sweep:
    parameters = {key.replace("__", "."): distribution(key, node) for key, node in nodes.items()}
    return Sweep("some", method, (), parameters, None, None)


def test_a_seeded_search_finds_the_best_of_a_stored_grid_within_half_of_its_points() -> None:
    grid = read_grid(STORED / "grid.txt")
    found = [needed(grid, len(grid.numbers) // 2, seed) for seed in range(3)]
    assert None not in found, found
    assert all(len(set(search(grid, 9, seed))) == 9 for seed in range(2)), "no point twice"


def test_the_run_of_a_search_that_is_stored_found_the_grids_best_with_the_grids_own_numbers() -> None:
    every, tried = numbers_in(STORED / "grid.txt"), numbers_in(STORED / "bayes.txt")
    assert len(tried) == len(every) // 2
    assert {point: every[point] for point in tried} == tried
    assert max(tried.values()) == max(every.values())


def test_a_finite_space_is_searched_to_its_end_without_a_repetition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Sequence[str]] = []

    def values(_: object, __: object, point: Sequence[str]) -> list[float]:
        seen.append(tuple(point))
        return [0.5]

    monkeypatch.setattr(worker, "_values", values)
    file = tmp_path / "some.yaml"
    file.write_text(TEXT)
    study = sweep(Asked(file, (), storage=f"journal:{tmp_path}/x"))
    every = [(f"merge={m}", f"merge.layer={n}") for m in ("fastadasp", "frame") for n in (0, 2, 4)]
    assert sorted(seen) == every and len(study.trials) == 6
    assert seen[0] == ("merge=fastadasp", "merge.layer=2"), "the configured point comes first"
    assert "6 points by bayes" in capsys.readouterr().out, "there are fewer than the seven that were asked for"


def test_a_search_that_was_cut_off_draws_the_points_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(TEXT.replace("[0, 2, 4]", "[0, 1, 2, 3, 4, 5]"))

    def searched(name: str, cut: int | None) -> list[tuple[str, ...]]:
        seen: list[tuple[str, ...]] = []

        def values(_: object, __: object, point: Sequence[str]) -> list[float]:
            if len(seen) == cut:
                raise KeyboardInterrupt
            seen.append(tuple(point))
            return [-abs(int(point[1].split("=")[1]) - 3)]

        monkeypatch.setattr(worker, "_values", values)
        asked = Asked(file, (), storage=f"journal:{tmp_path}/{name}", seed=5)
        if cut is not None:
            with pytest.raises(KeyboardInterrupt):
                sweep(asked)
            cut = None
        sweep(asked)
        return seen

    assert searched("broken", 4) == searched("whole", None)


@pytest.mark.parametrize("method", [Method.random, Method.bayes])
def test_a_failed_point_of_a_search_is_run_again_by_the_next_command(
    method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(TEXT.replace("bayes", method.value).replace("run_cap: 7", "run_cap: 4"))
    asked = Asked(file, (), storage=f"journal:{tmp_path}/x")
    seen: list[Sequence[str]] = []

    def values(_: object, __: object, point: Sequence[str]) -> list[float]:
        seen.append(tuple(point))
        if len(seen) == 2:
            raise ValueError("the disk is full")
        return [1.0]

    monkeypatch.setattr(worker, "_values", values)
    with pytest.raises(Exception, match="1 of 4 points failed"):
        sweep(asked)
    sweep(asked)
    assert len(seen) == 5 and seen[4] == seen[1] and len(set(seen)) == 4


def test_the_nearest_unseen_point_is_that_of_a_search_through_all() -> None:
    drawn = {"a": IntDistribution(0, 4), "b": CategoricalDistribution(["x", "y", "z"]), "c": IntDistribution(-1, 1)}
    every = list(product(range(5), ["x", "y", "z"], [-1, 0, 1]))
    rng = np.random.default_rng(0)

    def far(one: tuple[object, ...], other: tuple[object, ...]) -> tuple[int, float]:
        steps = [abs(p - q) if isinstance(p, int) else float(p != q) for p, q in zip(one, other, strict=True)]  # type: ignore[operator]
        return sum(p != q for p, q in zip(one, other, strict=True)), sum(steps)

    for _ in range(300):
        seen = {every[k] for k in rng.choice(45, rng.integers(0, 45), replace=False)}
        point = every[rng.integers(45)]
        found = tuple(unseen(dict(zip(drawn, point, strict=True)), drawn, seen, rng).values())
        left = [one for one in every if one not in seen]
        assert found in left
        assert far(found, point) == min(far(one, point) for one in left)
    assert tuple(unseen(dict(zip(drawn, every[7], strict=True)), drawn, set(every), rng).values()) == every[7]


def test_points_of_mixed_parameters_are_drawn_within_their_bounds_and_continuous_ones_differ() -> None:
    one = described(
        Method.bayes,
        merge={"values": ["fastadasp", None]},
        merge__layer={"values": [4, 0, 2]},
        merge__ratio={"min": 0.2, "max": 0.9},
        seed={"min": 1, "max": 3},
        merge__threshold={"distribution": "log_uniform_values", "min": 0.01, "max": 1.0},
    )
    drawn = space(one)
    assert size(drawn) == float("inf")
    study = optuna.create_study(sampler=Seeded(Method.bayes, drawn, 0, 3))
    points = []
    for _ in range(8):
        trial = study.ask(drawn)
        points.append(settings(trial.params, one))
        study.tell(trial, float(points[-1][2].split("=")[1]))
    assert len(set(points)) == 8
    for point in points:
        of = dict(text.split("=") for text in point)
        assert of["merge"] in ("fastadasp", "null") and of["merge.layer"] in ("0", "2", "4")
        assert 0.2 <= float(of["merge.ratio"]) <= 0.9 and of["seed"] in ("1", "2", "3")
        assert 0.01 <= float(of["merge.threshold"]) <= 1.0
    assert min(float(point[2].split("=")[1]) for point in points[3:]) < 0.25, "it learned that a small ratio is best"


def test_the_configured_point_is_that_of_the_settings_as_far_as_the_search_has_it() -> None:
    cfg = compose("task=sqa", "merge=fastadasp", "merge.layer=2", "merge.ratio=0.34", "seed=7", hydra=True)
    nodes: dict[str, dict[str, object]] = {
        "merge": {"values": ["frame", "fastadasp"]},
        "merge__layer": {"values": [0, 3, 9]},
        "merge__ratio": {"values": [0.5, 0.1, 0.3]},
        "merge__schedule": {"value": "once"},
        "seed": {"min": 0, "max": 4},
    }
    one = described(Method.bayes, **nodes)
    found = configured(one, cfg)
    assert settings(found, one) == (
        "merge=fastadasp", "merge.layer=3", "merge.ratio=0.3", "merge.schedule=once", "seed=4"
    )  # fmt: skip
    nodes["merge"] = {"values": ["frame", "fastv"]}
    assert "merge" not in configured(described(Method.bayes, **nodes), cfg)
