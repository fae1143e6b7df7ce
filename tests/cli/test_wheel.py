"""The wheel alone, in an empty folder, runs what the README shows."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fastadasp.config.paths import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the built wheel is unpacked, as an installation would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", folder, REPOSITORY], check=True, capture_output=True)
    (wheel,) = folder.glob("fastadasp-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-m", "fastadasp", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_an_installed_package_runs_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "run", "task=sqa", "merge.ratio=0.3", "task.limit=2", "hardware=cpu")
    assert done.returncode == 0, done.stderr
    (metrics,) = tmp_path.glob("outputs/sqa/tiny/fastadasp/*/metrics.json")
    assert '"examples": 2' in metrics.read_text()


@pytest.mark.slow
def test_an_installed_package_has_the_overlays_and_lists_its_methods(installed: Path, tmp_path: Path) -> None:
    shown = run(installed, tmp_path, "run", "experiments=startup", "--cfg", "job")
    assert shown.returncode == 0, shown.stderr
    assert "fastadasp.benchmark.startup" in shown.stdout
    assert "fastadasp " in run(installed, tmp_path, "ls").stdout
