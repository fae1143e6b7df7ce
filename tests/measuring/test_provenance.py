"""Where a result comes from is known in every kind of checkout."""

import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from fastadasp.evaluation.hardware import Placement
from fastadasp.measuring import provenance as module

CPU = Placement("cpu", "float32", "sdpa")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, taken for this one."""
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "file").write_text("1")
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "file"], [*who, "commit", "-qm", "First"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    monkeypatch.setattr(module, "REPOSITORY", folder)
    return folder


def test_commit_and_changes(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git then refuses a checkout that nobody vouches for
    found = module.provenance(CPU)
    assert len(found["commit"]) == 40
    assert found["uncommitted_changes"] is False
    (clone / "file").write_text("2")
    assert module.provenance(CPU)["uncommitted_changes"] is True


def test_a_repository_around_the_package_is_not_taken_for_its_own(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clone / "site-packages").mkdir()
    monkeypatch.setattr(module, "REPOSITORY", clone / "site-packages")
    found = module.provenance(CPU)
    assert found["commit"] is None and found["uncommitted_changes"] is None


def test_a_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", missing)
    found = module.provenance(CPU)
    assert found["fastadasp"] == "not installed"
    assert set(found["libraries"].values()) == {None}


def test_the_processors_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel\t\t: 17\nmodel name\t: Fast CPU @ 2 GHz\nprocessor\t: 1\n")
    assert module.cpu_name(cpuinfo) == "Fast CPU @ 2 GHz"
    monkeypatch.setattr(module.platform, "processor", lambda: "")
    monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
    assert module.cpu_name(tmp_path / "missing") == "aarch64"
