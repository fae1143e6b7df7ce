"""The start-up benchmark on a module that is there in no time, and on one that is not there."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import open_dict

from fastadasp.benchmark import startup
from fastadasp.benchmark.setup import validate_benchmark
from fastadasp.errors import ConfigError, InputError
from tests.helpers.configs import SMALLEST_MODEL, composed

QUICK = ("experiments=startup", "benchmark.quick=true")


def measured(folder: Path, *modules: str, **loads: list[str]) -> dict[str, dict[str, Any]]:
    """What results.json holds."""
    cfg = composed(*QUICK, f"benchmark.imports=[{','.join(modules)}]", f"output_dir={folder}")
    with open_dict(cfg):
        cfg.benchmark.evaluations = {}
        cfg.benchmark.loads = loads
        cfg.hydra.runtime.output_dir = str(folder)
        HydraConfig.instance().set_config(cfg)
    wanted, hardware = validate_benchmark(cfg)
    wanted.run(cfg, hardware)
    return dict(json.loads((folder / "results.json").read_text()))


def test_every_command_is_timed(tmp_path: Path) -> None:
    seconds = measured(tmp_path, "json", "fastadasp")["seconds"]
    assert set(seconds) == {"import json", "import fastadasp", "fastadasp run --help"}
    assert all(taken > 0 for taken in seconds.values())


def test_a_model_is_loaded_in_a_process_of_its_own(tmp_path: Path) -> None:
    load = measured(tmp_path, random=[*SMALLEST_MODEL, "hardware=cpu"])["loads"]["random"]
    assert 0 < load["load_s"] < load["whole_s"]


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"import missing_module` failed:\n(.|\n)*ModuleNotFoundError"):
        measured(tmp_path, "missing_module")


def test_a_broken_off_benchmark_goes_on_and_a_finished_one_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="missing_module"):
        measured(tmp_path, "json", "missing_module")
    (tmp_path / "missing_module.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run, commands = startup._seconds, []
    monkeypatch.setattr(startup, "_seconds", lambda command: (commands.append(command[-1]), run(command))[1])
    assert set(measured(tmp_path, "json", "missing_module")["seconds"]) == {
        *("import json", "import missing_module", "fastadasp run --help")
    }
    assert commands == ["import missing_module", "--help"]
    measured(tmp_path, "json")
    assert commands[2:] == ["import json", "--help"]


def test_repeats() -> None:
    with pytest.raises(ConfigError, match=r"benchmark\.repeats must be at least 1, got 0"):
        validate_benchmark(composed("experiments=startup", "benchmark.repeats=0"))
