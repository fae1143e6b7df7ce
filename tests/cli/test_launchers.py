"""Launchers of multiruns: profiles of clusters compose, and Ray gives the metrics of a plain run."""

from pathlib import Path

import pytest

from tests.helpers.configs import SMALLEST_MODEL, composed, options
from tests.helpers.warm import RUN, fresh


@pytest.mark.parametrize("name", options("cluster"))
def test_a_profile_of_a_cluster_asks_for_as_many_tasks_as_its_run_has_processes(name: str) -> None:
    cfg = composed(f"cluster={name}")
    launcher, trainer = cfg.hydra.launcher, cfg.hardware.trainer
    if name.startswith("slurm"):
        assert launcher._target_.endswith("SlurmLauncher") and launcher.additional_parameters.requeue
        processes = trainer.get("devices", 1) * trainer.get("num_nodes", 1)
        assert launcher.nodes * launcher.tasks_per_node == processes
        assert launcher.gpus_per_node == trainer.get("devices", 1)
    else:
        assert launcher._target_.endswith("RayLauncher") and launcher.num_gpus == 1


@pytest.mark.long
@pytest.mark.parametrize("launcher", ["ray", "submitit_local", "joblib"])
def test_a_launcher_leaves_the_metrics_of_a_plain_run(launcher: str, tones: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray" if launcher == "ray" else "submitit")
    common = [*SMALLEST_MODEL, "task=asr", f"task.manifest={tones}", "task.limit=2", "hardware=cpu", "logger=none"]
    common += ["generation.max_new_tokens=2", "hardware.num_workers=0", "merge.ratio=0.5"]
    found = []
    for name, more in (("plain", []), ("launched", ["-m", f"hydra/launcher={launcher}"])):
        process = fresh(RUN, *more, *common, f"output_dir={tmp_path}/{name}", cwd=tmp_path)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        (file,) = tmp_path.glob(f"{name}/*/*/*/*/metrics.json")
        found.append(file.read_bytes())
    assert found[0] == found[1]
