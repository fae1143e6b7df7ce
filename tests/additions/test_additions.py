"""One of each kind of thing, written by `fastadasp new` outside the repository: nothing of the package is edited."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fastadasp.cli import data, ls, new
from fastadasp.config.own_folders import VARIABLE, take_folders
from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import ConfigError
from tests.helpers.mini.parts import text, tone, tsv

NEW = {"method": "loudest", "task": "heard", "model": "mine", "corpus": "clips"}
ALL = ("merge=loudest", "merge.ratio=0.4", "task=heard", "model=mine", "data=clips")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with one of each kind, as the templates write them."""
    return write_all(tmp_path / "own")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder in the layout that the corpus of the template reads."""
    for name in ("a.wav", "b.wav"):
        tone(tmp_path / "files" / name)
    table = [("file", "text"), ("a.wav", "one"), ("b.wav", "two"), ("c.wav", "")]
    return tsv(tmp_path / "files" / "test.tsv", table).parent


def write_all(folder: Path) -> Path:
    for kind, name in NEW.items():
        new.main([kind, name, "--into", str(folder)])
    return folder


def python(folder: Path, path: Sequence[Path], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def run(folder: Path, path: Sequence[Path], corpus: Path, *arguments: str) -> None:
    """Evaluates one of each kind together, and looks at what the run says of them."""
    settings = [*ALL, f"data.root={corpus}", "hardware=cpu", "hardware.num_workers=0", "generation.max_new_tokens=4"]
    done = python(folder, path, "-m", "fastadasp", "run", *settings, "logger=none", *arguments)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("outputs/heard/mine/loudest/*/metrics.json")
    metrics = json.loads(file.read_text())
    assert metrics["examples"] == 2
    assert metrics["reduction"]["measured"] == pytest.approx(0.4, abs=0.1)  # whole tokens of short clips
    lines = [json.loads(line) for line in (file.parent / "predictions.jsonl").read_text().splitlines()]
    assert [line["reference"] for line in lines] == ["one", "two"]


@pytest.mark.slow
def test_one_of_each_runs_from_a_folder_of_ones_own(own: Path, corpus: Path, tmp_path: Path) -> None:
    run(tmp_path, [REPOSITORY], corpus, "--config-dir", "own")


@pytest.mark.slow
def test_one_of_each_runs_from_an_installed_package(corpus: Path, tmp_path: Path) -> None:
    text(tmp_path / "source" / "mine" / "__init__.py", "")
    write_all(tmp_path / "source" / "mine")
    project = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"
    [project]
    name = "mine"
    version = "1.0"
    [project.entry-points."fastadasp.conf"]
    mine = "mine"
    """
    text(tmp_path / "source" / "pyproject.toml", project)
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", "site"]
    installed = python(tmp_path, [], *install, "./source")
    assert installed.returncode == 0, installed.stderr
    run(tmp_path, [tmp_path / "site", REPOSITORY], corpus)


@pytest.mark.slow
def test_the_tests_that_the_templates_write_pass(own: Path) -> None:
    options = ["-c", os.devnull, "--rootdir", str(own), "-p", "no:cacheprovider", "--import-mode=importlib"]
    done = python(own, [own, REPOSITORY], "-m", "pytest", *options, str(own))
    assert done.returncode == 0, done.stdout
    assert "9 passed" in done.stdout


def test_what_is_added_is_listed_and_checked_by_other_commands(
    own: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("PYTHONPATH", "")
    assert take_folders(["ls", f"--config-dir={own}", "tasks"]) == ["ls", "tasks"]
    capsys.readouterr()
    ls.main(["methods"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("loudest")]
    assert line.split()[:2] == ["loudest", "decoder"]
    ls.main(["corpora"])
    assert "Clips (task): what data.root holds, in one line." in capsys.readouterr().out
    data.main(["check", "clips", f"root={corpus}", "--task", "heard"])
    assert capsys.readouterr().out == "clips: 2 examples, no problem\n2 examples; left out: 1 (text empty)\n"
    tsv(corpus / "test.tsv", [("file", "text"), ("?.wav", "lost")])
    with pytest.raises(SystemExit, match="1"):
        data.main(["check", "clips", f"root={corpus}"])
    assert "test.tsv, line 2: its recording was lost" in capsys.readouterr().err


def test_a_folder_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--config-dir must be followed by a folder that exists.*; got 'nowhere'"):
        take_folders(["run", "--config-dir", "nowhere"])
    with pytest.raises(ConfigError, match="got ''"):
        take_folders(["run", "-cd"])


def test_a_new_thing_like_another_is_a_yaml_file_alone(tmp_path: Path) -> None:
    (file,) = new.write("task", "mood", tmp_path, "er")
    first, *settings = file.read_text().splitlines()
    assert first == "# mood: task=er with other settings. Say here in one line what it is."
    assert settings == (REPOSITORY / "conf" / "task" / "er.yaml").read_text().splitlines()[1:]
    (dense,) = new.write("task", "lectures", tmp_path, "asr")
    assert dense.read_text().startswith("# @package _global_\n# lectures: task=asr with other settings.")
    with pytest.raises(ConfigError, match=r"--like eer: task=eer does not exist; did you mean er"):
        new.write("task", "other", tmp_path, "eer")


@pytest.mark.parametrize(
    ("name", "message"),
    [("Loud", "'Loud' cannot name an option"), ("fastadasp", "merge=fastadasp exists already: .*fastadasp.yaml")],
)
def test_names_that_cannot_be_used_are_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        new.write("method", name, tmp_path)
