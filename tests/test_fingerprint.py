"""A run's name changes with everything that can change its predictions, and with nothing else."""

import json
import os
from pathlib import Path

import pytest

from fastadasp import fingerprint as module
from fastadasp.fingerprint import fingerprint
from tests.conftest import composed


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(1000))
    return folder


def name(*overrides: str) -> str:
    return fingerprint(composed("model=qwen2_audio_random", *overrides))


@pytest.mark.parametrize(
    "override",
    [
        "merge=average",
        "merge.ratio=0.1",
        "merge.layer=3",
        "seed=1",
        "task=er",
        "task.limit=3",
        "model.layers=8",
        "generation.num_beams=2",
        "hardware.dtype=bfloat16",
        "hardware.batch_size=3",
    ],
)
def test_settings_that_change_predictions_change_the_name(override: str) -> None:
    assert name(override) != name()


@pytest.mark.parametrize(
    "override",
    [
        "output_dir=elsewhere",
        "logger=wandb",
        "hardware.num_workers=0",
        "hardware.threads=1",
        "+hardware.trainer.devices=2",
    ],
)
def test_settings_that_cannot_change_predictions_leave_the_name(override: str) -> None:
    assert name(override) == name()


def test_default_and_explicit_settings_are_the_same_run() -> None:
    assert name("task=sqa", "merge=fastadasp", "merge.layer=2") == name()


def test_a_manifest_counts_by_its_content_and_its_audio(tones: Path) -> None:
    before = name("task=asr", f"task.manifest={tones}")
    with (tones.parent / "1.wav").open("ab") as audio:
        audio.write(b"\0\0")
    other_audio = name("task=asr", f"task.manifest={tones}")
    tones.write_text(tones.read_text().replace("tone number 1", "tone number one"))
    assert len({before, other_audio, name("task=asr", f"task.manifest={tones}")}) == 3


def test_a_malformed_manifest_still_has_a_name(tones: Path) -> None:
    tones.write_text('not json\n[1]\n{"id": 1}\n' + json.dumps({"audio": ["1.wav", "none.wav"]}))
    assert name("task=asr", f"task.manifest={tones}") != name("task=asr")


def test_a_checkpoint_counts_by_its_content_but_not_by_its_model_card(checkpoint: Path) -> None:
    model = ("model=tiny", f"model.path={checkpoint}")
    before = fingerprint(composed(*model))
    (checkpoint / "README.md").write_text("better words")
    assert fingerprint(composed(*model)) == before
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    assert fingerprint(composed(*model)) != before


def test_large_weights_count_by_size_and_time(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HASHED_WHOLE", 100)
    model = ("model=tiny", f"model.path={checkpoint}")
    before = fingerprint(composed(*model))
    weights = checkpoint / "model.safetensors"
    os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 1))
    assert fingerprint(composed(*model)) != before


def test_the_code_of_what_is_used_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "from fastadasp.merge.average import Average\nclass Mine(Average): pass\n"
    (tmp_path / "my_method.py").write_text(source)
    mine = "merge._target_=my_method.Mine"
    before, others = name(mine), name()
    (tmp_path / "my_method.py").write_text(source + "# better\n")
    module._code_digest.cache_clear()
    assert name(mine) != before
    assert name() == others


def test_code_is_followed_through_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest_if_edited(edited: str) -> str:
        plain = module._file_digest
        monkeypatch.setattr(module, "_file_digest", lambda file: plain(file) + "!" * file.match(edited))
        module._code_digest.cache_clear()
        digest = module._code_digest(("fastadasp.merge.average.Average", "fastadasp.tasks.asr.ASR"))
        module._code_digest.cache_clear()
        monkeypatch.undo()
        return digest

    unedited = digest_if_edited("no such file")
    for used in (
        "merge/average.py",
        "merge/base.py",
        "hooks.py",
        "merge/assignment.py",
        "tasks/asr.py",
        "data/manifest.py",
    ):
        assert digest_if_edited(f"fastadasp/{used}") != unedited
    for unused in ("merge/random.py", "tasks/er.py", "run.py", "evaluation/cost.py"):
        assert digest_if_edited(f"fastadasp/{unused}") == unedited


def test_the_name_does_not_depend_on_where_the_repository_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for root in ("/first/clone", "/second/clone"):
        monkeypatch.setattr(module, "REPOSITORY", Path(root))
        names.add(name(f"task.manifest={root}/some/manifest.jsonl"))
    assert len(names) == 1


def test_the_run_folder_is_named_by_what_was_chosen() -> None:
    cfg = composed("task=asr", "merge=average", "model=qwen2_audio_random", "output_dir=results")
    task, model, merge, digits = Path(cfg.hydra.run.dir).parts[1:]
    assert (task, model, merge) == ("asr", "qwen2_audio_random", "average")
    assert len(digits) == 12
    assert cfg.hydra.sweep.subdir == "/".join((task, model, merge, digits)), "the same folder under -m"
