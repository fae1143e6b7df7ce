"""A sweep without W&B: points, storages, processes that die, several objectives, pruning, and finding the best."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from fastadasp.cli.sweep import main
from fastadasp.config.compose import compose_run
from fastadasp.errors import ConfigError, OutOfReachError
from fastadasp.sweep import command, lifeline, search
from fastadasp.sweep.command import Asked, SweepError, best, sweep
from fastadasp.sweep.search import POINT
from fastadasp.sweep.storage import StorageError, open_study
from tests.helpers.configs import SMALLEST_MODEL
from tests.helpers.warm import warm

SIX = """
program: run.py
method: grid
metric: {name: accuracy, goal: maximize}
parameters:
  merge: {values: [fastadasp, frame]}
  merge.ratio: {values: [0.2, 0.5, 0.8]}
command: ["${env}", "${interpreter}", "${program}", task=sqa, task.limit=2, "${args_no_hyphens}"]
"""
SEARCH = """
method: bayes
run_cap: 15
metric: {name: score, goal: maximize}
parameters:
  merge: {values: [fastadasp, frame, fastv]}
  merge.layer: {values: [0, 1, 2, 3, 4]}
  merge.ratio: {values: [0.1, 0.5]}
command: [task=sqa]
"""
Scored = Callable[[Sequence[str]], list[float]]


def written(folder: Path, text: str) -> Path:
    file = folder / "some.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scored], list[Sequence[str]]]:
    """Runs that take no time: their numbers are made up from their settings. Returns the settings as they come."""

    def act(scored: Scored) -> list[Sequence[str]]:
        seen: list[Sequence[str]] = []

        def values(_: object, __: object, settings: Sequence[str]) -> list[float]:
            seen.append(tuple(settings))
            return scored(settings)

        monkeypatch.setattr(search, "_values", values)
        return seen

    return act


def hill(settings: Sequence[str]) -> list[float]:
    """Best at frame, layer 3, ratio 0.1; it falls with the distance from there."""
    of = dict(setting.split("=") for setting in settings)
    return [(of["merge"] == "frame") - 0.1 * abs(int(of["merge.layer"]) - 3) - float(of["merge.ratio"])]


@pytest.mark.slow
def test_six_points_have_the_results_of_plain_runs_and_are_only_read_the_second_time(
    tmp_path: Path, evaluate: Callable[..., tuple[Path, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, SIX)
    common = (*SMALLEST_MODEL, "hardware=cpu", "generation.max_new_tokens=6", f"output_dir={tmp_path}/out")
    study = sweep(Asked(file, common))
    points = [tuple(trial.user_attrs[POINT]) for trial in study.trials]
    assert points == [
        (f"merge={merge}", f"merge.ratio={r}") for merge in ("fastadasp", "frame") for r in (0.2, 0.5, 0.8)
    ]
    for trial in study.trials:
        _, folder = compose_run(["task=sqa", "task.limit=2", *common, *trial.user_attrs[POINT]])
        stored = (folder / "metrics.json").read_bytes()
        assert trial.values == [json.loads(stored)["quality"]["accuracy"]]
        again, value = evaluate("task=sqa", "task.limit=2", *trial.user_attrs[POINT], f"output_dir={tmp_path}/plain")
        quality = json.loads((again / "metrics.json").read_bytes())["quality"]
        assert (quality, again.name) == (json.loads(stored)["quality"], folder.name)
        assert [value] == trial.values
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("predictions.jsonl")}
    sweep(Asked(file, common, storage=f"sqlite:///{tmp_path}/other.db"))
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("predictions.jsonl")}
    assert capsys.readouterr().out.count("Best: ") == 2


@pytest.mark.parametrize("storage", ["journal:{}/a/b.journal", "sqlite:///{}/a/b.db"])
def test_the_same_command_goes_on_where_it_stopped(
    tmp_path: Path, acted: Callable[[Scored], list[Sequence[str]]], storage: str
) -> None:
    def until_the_fourth(settings: Sequence[str]) -> list[float]:
        if len(seen) == 4:
            raise KeyboardInterrupt
        return [1.0]

    asked = Asked(written(tmp_path, SIX), (), storage=storage.format(tmp_path))
    seen = acted(until_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        sweep(asked)
    rest = acted(lambda _: [2.0])
    study = sweep(asked)
    assert [*seen[:3], *rest] == [
        (f"merge={merge}", f"merge.ratio={r}") for merge in ("fastadasp", "frame") for r in (0.2, 0.5, 0.8)
    ]
    assert [trial.values for trial in study.trials if trial.state is TrialState.COMPLETE] == [[1.0]] * 3 + [[2.0]] * 3
    assert acted(lambda _: pytest.fail("all points are done")) == [] and sweep(asked)


def test_points_that_failed_are_named_and_run_again_by_the_next_command_alone(
    tmp_path: Path, acted: Callable[[Scored], list[Sequence[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(settings: Sequence[str]) -> list[float]:
        if "merge.ratio=0.5" in settings:
            raise ConfigError("there is no such layer")
        if "merge.ratio=0.8" in settings:
            raise OutOfReachError("at most 60 % can be removed")
        return [1.0]

    asked = Asked(written(tmp_path, SIX), (), storage=f"journal:{tmp_path}/x")
    seen = acted(broken)
    with pytest.raises(SweepError, match=r"2 of 6 points failed.*merge=fastadasp merge\.ratio=0\.5; merge=frame"):
        sweep(asked)
    assert len(seen) == 6, "nothing is tried twice by one command"
    out = capsys.readouterr().out
    assert "failed: there is no such layer" in out and "not run: at most 60 % can be removed" in out
    seen = acted(lambda _: [3.0])
    sweep(asked)
    assert seen == [(f"merge={merge}", "merge.ratio=0.5") for merge in ("fastadasp", "frame")]
    with pytest.raises(SystemExit, match="1"):
        main([str(asked.file), "--objective", "wer:max"])
    assert "after the colon stands minimize or maximize" in capsys.readouterr().err


def test_what_a_dead_process_was_at_work_on_goes_to_the_next_one_and_is_not_tried_for_ever(
    tmp_path: Path, acted: Callable[[Scored], list[Sequence[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(written(tmp_path, SIX), (), storage=f"sqlite:///{tmp_path}/x.db")

    give_back = lifeline.give_back

    def die() -> None:
        """As a process that is killed: its trial is left as it is."""
        with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(lifeline, "give_back", lambda *given, counted=True: counted and give_back(*given))
            acted(lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
            sweep(asked)

    die()
    acted(lambda _: [1.0])
    monkeypatch.setattr(lifeline, "_exists", lambda _: True)
    monkeypatch.setattr(lifeline, "SILENCE_S", 1e6)
    waiting = sweep(asked)
    assert [trial.state.name for trial in waiting.trials].count("RUNNING") == 1, "its process seems to live"
    monkeypatch.setattr(lifeline, "_exists", lambda _: False)
    study = sweep(asked)
    done = [tuple(trial.user_attrs[POINT]) for trial in study.trials if trial.state is TrialState.COMPLETE]
    assert len(set(done)) == len(done) == 6
    asked = Asked(asked.file, (), storage=f"sqlite:///{tmp_path}/y.db")
    for _ in range(lifeline.MOST_RETRIES + 1):
        die()
    acted(lambda _: [1.0])
    with pytest.raises(SweepError, match="1 of 6 points failed"):
        sweep(asked)


def test_several_workers_share_the_points_of_one_storage(
    tmp_path: Path, acted: Callable[[Scored], list[Sequence[str]]]
) -> None:
    def slowly(settings: Sequence[str]) -> list[float]:
        time.sleep(0.05)
        return [1.0]

    file = written(tmp_path, SIX.replace("[0.2, 0.5, 0.8]", "[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]"))
    seen = acted(slowly)
    wanted, name, url = command._wanted(Asked(file, (), storage=f"journal:{tmp_path}/x"))
    began = datetime.now()

    def one() -> None:
        search.work(open_study(url, name, wanted.goals), wanted, lambda _: None, began)

    workers = [threading.Thread(target=one) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(seen) == len(set(seen)) == 16, "no point is run twice"


@pytest.mark.slow
def test_a_killed_worker_process_loses_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, SIX)
    settings = [*SMALLEST_MODEL, "hardware=cpu", "generation.max_new_tokens=6", f"output_dir={tmp_path}/out"]
    words = ["-m", "fastadasp", "sweep", str(file), *settings]
    first = warm(*words)
    for line in first.stdout:
        if line.startswith("[2/6]"):
            first.kill()
            break
    first.wait()
    again = warm(*words)
    output, errors = again.communicate()
    assert again.returncode == 0, errors
    assert "[6/6]" in output and "[1/6]" not in output
    assert len(list((tmp_path / "out").rglob("metrics.json"))) == 6


def test_a_seeded_bayes_search_finds_the_best_of_the_grid_within_half_of_its_points(
    tmp_path: Path, acted: Callable[[Scored], list[Sequence[str]]]
) -> None:
    seen = acted(hill)
    study = sweep(Asked(written(tmp_path, SEARCH), (), storage=f"journal:{tmp_path}/x"))
    assert len({tuple(trial.user_attrs[POINT]) for trial in study.trials if POINT in trial.user_attrs}) <= 15
    (found,) = best(study)
    assert found.user_attrs[POINT] == ["merge=frame", "merge.layer=3", "merge.ratio=0.1"]
    once = list(seen)
    acted(hill)
    again = sweep(Asked(written(tmp_path, SEARCH), (), storage=f"journal:{tmp_path}/y"))
    assert [trial.user_attrs.get(POINT) for trial in again.trials] == [list(settings) for settings in once], "seeded"


def test_several_objectives_give_the_points_that_no_other_beats(
    tmp_path: Path, acted: Callable[[Scored], list[Sequence[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    def both(settings: Sequence[str]) -> list[float]:
        ratio = float(settings[1].split("=")[1])
        return [1 - ratio - (settings[0] == "merge=frame"), 1 - ratio]

    acted(both)
    objectives = ("accuracy:maximize", "flops_prefill")
    study = sweep(Asked(written(tmp_path, SIX), (), objectives, storage=f"journal:{tmp_path}/x"))
    assert [trial.user_attrs[POINT][0] for trial in best(study)] == ["merge=fastadasp"] * 3
    assert "accuracy 0.8, flops_prefill 0.8" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="one objective"):
        sweep(Asked(written(tmp_path, SIX), (), objectives, prune=(1,)))


def test_runs_that_are_bad_after_some_clips_are_given_up(
    tmp_path: Path, acted: Callable[[Scored], list[Sequence[str]]]
) -> None:
    seen = acted(lambda settings: hill(settings[:3]))
    asked = Asked(written(tmp_path, SEARCH.replace("bayes", "random")), (), storage=f"journal:{tmp_path}/x", prune=(4,))
    study = sweep(asked)
    states = [trial.state.name for trial in study.trials]
    assert states.count("PRUNED") >= 2 and states.count("COMPLETE") >= 4
    short = [settings for settings in seen if settings[-1] == "task.limit=4"]
    assert len(short) == 15 and len(seen) == 15 + states.count("COMPLETE")
    pruned = [trial for trial in study.trials if trial.state is TrialState.PRUNED]
    whole = [trial.values[0] for trial in study.trials if trial.values and trial.state is TrialState.COMPLETE]
    assert all(trial.intermediate_values[4] < max(whole) for trial in pruned)


def test_a_search_without_an_end_and_a_storage_that_is_none_are_refused(tmp_path: Path) -> None:
    endless = written(tmp_path, SEARCH.replace("run_cap: 15", ""))
    with pytest.raises(ConfigError, match="has no end; say how many points"):
        sweep(Asked(endless, ()))
    for url, message in (
        ("x.db", "is no URL; give journal:FILE, sqlite"),
        ("postgresql+nodriver://me:secret@host/base", "postgresql.nodriver://host/base cannot be opened"),
        ("nosuch://host/base", "cannot be opened"),
    ):
        with pytest.raises(StorageError, match=message) as caught:
            sweep(Asked(endless, (), storage=url, count=3))
        assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="at_budget needs logged"):
        sweep(Asked(endless, (), ("at_budget:maximize",), count=3))


def test_studies_do_not_share_a_name_when_what_is_searched_differs(tmp_path: Path) -> None:
    names = set()
    for text in (SIX, SIX.replace("0.8", "0.7"), SIX.replace("limit=2", "limit=3"), SIX.replace("accuracy", "removed")):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(search, "_values", lambda *_: [0.0])
            names.add(sweep(Asked(written(tmp_path, text), (), storage=f"journal:{tmp_path}/x")).study_name)
    assert len(names) == 4
    assert len(optuna.get_all_study_names(f"sqlite:///{tmp_path}/none.db")) == 0
