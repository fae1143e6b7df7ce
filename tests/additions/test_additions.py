"""One of each kind of thing, added in a folder of a user's own: nothing of the package is edited."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastadasp.cli import ls, new
from fastadasp.config import paths
from fastadasp.config.paths import REPOSITORY
from tests.helpers.configs import SMALLEST_MODEL
from tests.helpers.mini.parts import tone, tsv

TASK = '''
from dataclasses import dataclass
from fastadasp.tasks.asr import ASR


@dataclass(frozen=True)
class Shouted(ASR):
    """Transcripts in capital letters."""

    name = "shouted"

    def parse(self, text, example):
        return super().parse(text, example).upper()
'''
TASK_YAML = """
_target_: own_task.Shouted
manifest: {manifest}
instruction: Shout what you hear.
"""
MODEL = '''
from dataclasses import dataclass
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom


@dataclass(frozen=True)
class Own(Qwen2AudioRandom):
    """A family of a user's own."""

    layers: int = 3
'''
MODEL_YAML = """# A family of a user's own, with random weights.
_target_: own_model.Own
layers: 3
hidden: 32
intermediate: 48
"""


@pytest.fixture
def own(tmp_path: Path, tones: Path) -> Path:
    """A folder with a method made from the template, a task, a model, and the corpus of docs/data.md."""
    folder = tmp_path / "own"
    new.main(["method", "loudest", "--into", str(folder)])
    for group in ("task", "model", "data"):
        (folder / group).mkdir()
    page = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", page, re.DOTALL))
    (folder / "my_corpus.py").write_text(blocks["python"])
    (folder / "data" / "my_corpus.yaml").write_text(
        blocks["yaml"].replace("fastadasp.data.corpora.my_corpus", "my_corpus")
    )
    for name in ("a.wav", "b.wav"):
        tone(folder / "clips" / name)
    tsv(folder / "clips" / "test.tsv", [("file", "text"), ("a.wav", "one"), ("b.wav", "two"), ("c.wav", "")])
    (folder / "own_task.py").write_text(TASK)
    (folder / "task" / "shouted.yaml").write_text(TASK_YAML.format(manifest=tones))
    (folder / "own_model.py").write_text(MODEL)
    (folder / "model" / "own.yaml").write_text(MODEL_YAML)
    return folder


def run(own: Path, *overrides: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(own), str(REPOSITORY), path])}
    command = [sys.executable, "-m", "fastadasp", "run", *overrides, f"output_dir={own}/outputs", "hardware=cpu"]
    command += ["hardware.num_workers=0", "generation.max_new_tokens=4", "logger=none"]
    return subprocess.run(command, env=environment, cwd=own, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_method_a_task_and_a_model_run_from_a_folder_of_ones_own(own: Path) -> None:
    done = run(own, "--config-dir", str(own), "merge=loudest", "merge.ratio=0.4", "task=shouted", "model=own")
    assert done.returncode == 0, done.stderr
    (file,) = own.glob("outputs/shouted/own/loudest/*/metrics.json")
    metrics = json.loads(file.read_text())
    assert metrics["examples"] == 5
    assert metrics["reduction"]["measured"] == pytest.approx(0.4, abs=0.1)
    answers = [json.loads(line)["answer"] for line in (file.parent / "predictions.jsonl").read_text().splitlines()]
    assert all(answer == answer.upper() for answer in answers)


@pytest.mark.slow
def test_the_corpus_of_the_documents_runs_from_a_folder_of_ones_own(own: Path) -> None:
    corpus = ["data=my_corpus", f"data.root={own / 'clips'}"]
    done = run(own, "--config-dir", str(own), "task=asr", "model=own", *corpus)
    assert done.returncode == 0, done.stderr
    (file,) = own.glob("outputs/asr/own/*/*/predictions.jsonl")
    assert [json.loads(line)["reference"] for line in file.read_text().splitlines()] == ["one", "two"]
    (own / "clips" / "test.tsv").write_text("file\ttext\n?.wav\tlost\n")
    refused = run(own, "--config-dir", str(own), "task=asr", "model=own", *corpus)
    assert "test.tsv, line 2: its recording was lost" in refused.stderr


@pytest.mark.slow
def test_an_installed_package_offers_its_options_by_an_entry_point(own: Path) -> None:
    (own / "offers.py").write_text("")
    info = own / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fastadasp.conf]\nmine = offers\n")
    done = run(own, *SMALLEST_MODEL, "merge=loudest", "merge.ratio=0.4", "task=shouted")
    assert done.returncode == 0, done.stderr
    assert len(list(own.glob("outputs/shouted/qwen2_audio_random/loudest/*/metrics.json"))) == 1


def test_what_is_added_is_listed_with_its_site(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(own))
    monkeypatch.setattr(paths, "_offered", lambda: (own,))
    importlib.invalidate_caches()
    capsys.readouterr()
    ls.main(["methods"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("loudest")]
    assert line.split()[:2] == ["loudest", "decoder"]
    ls.main(["models"])
    assert "A family of a user's own, with random weights." in capsys.readouterr().out
