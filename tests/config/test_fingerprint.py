"""A run's name changes with everything that can change its predictions, and with nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastadasp.config import fingerprint as module
from fastadasp.config.fingerprint import fingerprint
from fastadasp.config.source_code import SourceError, locate, source_files
from tests.helpers.configs import composed


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


def test_large_weights_count_by_their_content_and_not_by_their_time(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of equal size with the old times, as a copy that keeps times leaves them, are other weights."""
    monkeypatch.setattr(module, "READ_EACH_TIME", 100)
    model = ("model=tiny", f"model.path={checkpoint}")
    weights = checkpoint / "model.safetensors"
    content, old = weights.read_bytes(), (0, weights.stat().st_mtime_ns - 10**10)
    os.utime(weights, ns=old)
    before = fingerprint(composed(*model))
    os.utime(weights)
    assert fingerprint(composed(*model)) == before, "the same weights, copied"
    weights.write_bytes(b"\1" + content[1:])
    os.utime(weights, ns=old)
    assert fingerprint(composed(*model)) != before
    weights.write_bytes(content)
    assert fingerprint(composed(*model)) == before


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


ANSWERS = """
import sys
from fastadasp.grid.runner import Runner
from fastadasp.grid.spec import Cell

cell = Cell("sqa", "", None, ("model=qwen2_audio_random", "task.limit=2", "merge=blend", "merge.ratio=0.3",
    "generation.max_new_tokens=2", "hardware=cpu", f"output_dir={sys.argv[1]}"))
assert Runner().run(cell).problem is None
print(*(name for name in sys.modules if name.split(".")[0] == "fastadasp"))
"""

MEASURING = (
    "evaluation.cost",
    "evaluation.loggers",
    "evaluation.metrics",
    "evaluation.requests",
    "evaluation.roofline",
    "evaluation.spent",
    "evaluation.summary",
    "evaluation.took",
    "evaluation.totals",
    "measuring.energy",
    "measuring.provenance",
    "statistics.clusters",
    "statistics.intervals",
    "statistics.resampling",
    "tasks.counted",
    "tasks.spread",
)
"""What a run imports besides, which only describes the answers once they are there."""


RUNNING = (
    "config.compose",
    "config.corpus",
    "evaluation.children",
    "evaluation.elsewhere",
    "evaluation.run",
    "evaluation.team",
    "files.yaml_text",
    "grid.runner",
    "grid.spec",
    "models.shared",
)
"""What puts the answering modules to work; `compose` and the grid only decide which runs there are."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """All modules of the package that Python itself has imported by the end of a real run."""
    command = [sys.executable, "-c", ANSWERS, str(tmp_path_factory.mktemp("outputs"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=module.REPOSITORY)
    return set(done.stdout.split("\n")[-2].split())


def test_every_module_that_a_real_run_imports_counts_unless_it_only_describes(imported: set[str]) -> None:
    targets = ("fastadasp.merge.blend", "fastadasp.tasks.sqa", "fastadasp.models.qwen2_audio_random")
    counted = set(source_files([*module.ANSWERING, *targets, "fastadasp.evaluation.hardware"]))
    faces = {"fastadasp", *(name for name in imported if locate(name) and locate(name).name == "__init__.py")}  # type: ignore[union-attr]
    running = {f"fastadasp.{name}" for name in (*MEASURING, *RUNNING)}
    assert len(imported) > 40
    assert imported - faces - running <= counted


@pytest.mark.parametrize("folder", ["decoding", "engine", "ops/kernels"])
def test_an_edit_of_the_engine_behind_a_package_changes_every_name(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = composed("model=qwen2_audio_random")
    plain, before = module._file_digest, fingerprint(cfg)
    sources = [file for file in (module.REPOSITORY / "fastadasp" / folder).glob("*.py") if file.stat().st_size]
    assert sources
    for edited in sources:
        monkeypatch.setattr(module, "_file_digest", lambda file, edited=edited: plain(file) + "!" * (file == edited))
        module._code_digest.cache_clear()
        assert fingerprint(cfg) != before, edited
    module._code_digest.cache_clear()


def test_an_edit_of_what_is_not_used_leaves_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, before = module._file_digest, name()
    for unused in ("merge/random_evict.py", "tasks/er.py", "evaluation/cost.py", "report/tables.py"):
        monkeypatch.setattr(module, "_file_digest", lambda file, unused=unused: plain(file) + "!" * file.match(unused))
        module._code_digest.cache_clear()
        assert name() == before, unused
    module._code_digest.cache_clear()


def package(folder: Path, **sources: str) -> None:
    for path, source in sources.items():
        file = folder / f"{path.replace('__', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)


def test_helpers_of_a_users_own_method_count_through_relative_imports_and_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package(tmp_path, own__method="from . import helper\nfrom .deep import x\nimport sidecar, torch, json\n")
    package(tmp_path, own__helper="", own__deep="from fastadasp.merge.average import Average as x\n", sidecar="")
    (tmp_path / "own" / "__init__.py").write_text("from . import never\n")
    found = source_files(["own.method"])
    assert {"own.method", "own.helper", "own.deep", "sidecar", "fastadasp.merge.average"} <= found.keys()
    assert not found.keys() & {"torch", "json", "own.never"}


def test_names_that_only_a_type_checker_reads_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "if TYPE_CHECKING:\n    import fastadasp.evaluation.run\nelse:\n    import sidecar2"
    package(tmp_path, typed=source, sidecar2="")
    assert source_files(["typed"]).keys() == {"typed", "sidecar2"}


def test_an_import_that_leads_nowhere_is_an_error_that_names_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package(tmp_path, lost="from fastadasp.merge.nothing import Nothing")
    with pytest.raises(SourceError, match=r"lost\.py imports fastadasp\.merge\.nothing"):
        source_files(["lost"])


def test_a_file_that_is_not_python_is_an_error_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package(tmp_path, broken="x = 1\ndef (")
    with pytest.raises(SourceError, match=r"broken\.py, line 2"):
        source_files(["broken"])


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
