"""`python run.py` as a user starts it: in a process of its own."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.helpers.configs import SMALLEST_MODEL
from tests.helpers.warm import RUN, fresh, warm


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task=asrr"], "task=asrr does not exist; did you mean asr? Allowed: asr,"),
        (["merge.ratioo=1"], "merge.ratioo does not exist; did you mean ratio?"),
        (["merge.ratio=1.5"], "merge.ratio must lie in [0, 1), got 1.5"),
        (["+merge.threshold=1"], "merge.threshold does not exist; "),
        (["merge.ratio"], "merge.ratio"),
    ],
)
def test_a_wrong_setting_ends_in_a_short_message(arguments: list[str], message: str, tmp_path: Path) -> None:
    process = fresh(RUN, "model=qwen2_audio_random", f"output_dir={tmp_path}", *arguments)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert message in errors
    assert "Traceback" not in errors
    assert len(errors.splitlines()) < 6


def test_help_and_wrong_settings_load_neither_torch_nor_lightning(tmp_path: Path) -> None:
    script = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('LOADED', sorted({'torch', 'lightning', 'transformers', 'wandb', 'numpy'} & set(sys.modules)))"
    )
    for arguments in (["--help"], ["merge.ratioo=1"], ["model=qwen2_audio_random", "merge.ratio=1.5"]):
        output, _ = fresh("-c", script, RUN, *arguments, f"output_dir={tmp_path}").communicate(timeout=300)
        assert output.splitlines()[-1] == "LOADED []"


def test_a_missing_manifest_and_a_bad_line_end_in_a_short_message(tones: Path, tmp_path: Path) -> None:
    tones.write_text(tones.read_text() + '{"id": "six", "audio": "1.wav"}\n')
    for manifest, message in ((tmp_path / "none.jsonl", "none.jsonl"), (tones, "line 6: field 'text' is missing")):
        common = ("model=qwen2_audio_random", "hardware=cpu", f"output_dir={tmp_path}/out", "task=asr")
        process = fresh(RUN, *common, f"task.manifest={manifest}", cwd=tmp_path)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 1
        assert message in errors
        assert "Traceback" not in errors


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_metrics(tones: Path, tmp_path: Path) -> None:
    def arguments(outputs: str) -> list[str]:
        common = ["task=asr", f"task.manifest={tones}", "hardware=cpu", "hardware.batch_size=1", "merge.ratio=0.5"]
        return [*SMALLEST_MODEL, *common, "generation.max_new_tokens=200", f"output_dir={tmp_path}/{outputs}"]

    def predictions() -> list[str]:
        found = list(tmp_path.glob("killed/asr/*/*/*/predictions.jsonl"))
        return found[0].read_text().splitlines(keepends=True) if found else []

    whole = fresh(RUN, *arguments("whole"), cwd=tmp_path)
    output, errors = whole.communicate(timeout=300)
    assert whole.returncode == 0, errors
    assert "audio tokens removed" in output

    killed = warm(RUN, *arguments("killed"), cwd=tmp_path)
    while len(predictions()) < 2 and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = [line for line in predictions() if line.endswith("\n")]
    assert 2 <= len(before) < 5, "the run was not caught half-way"

    resumed = warm(RUN, *arguments("killed"), cwd=tmp_path)
    _, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    (first,), (second,) = (list(tmp_path.glob(f"{name}/*/*/*/*/metrics.json")) for name in ("whole", "killed"))
    assert first.read_bytes() == second.read_bytes()
    after = predictions()
    assert set(before) < set(after), "what was done before the kill did not run again"
    assert [json.loads(line)["id"] for line in after] == [f"tone-{number}" for number in range(1, 6)]


@pytest.mark.slow
def test_a_parallel_multirun_uses_the_same_folders_as_single_runs(tones: Path, tmp_path: Path) -> None:
    common = [*SMALLEST_MODEL, "task=asr", f"task.manifest={tones}", "task.limit=1", "hardware=cpu"]
    common += ["generation.max_new_tokens=2", f"output_dir={tmp_path}/out"]
    parallel = ("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    sweep = warm(RUN, *parallel, *common, "merge=fastadasp,average", "merge.ratio=0.5", cwd=tmp_path)
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, errors
    folders = {path.parent.parent.name: path.parent for path in tmp_path.glob("out/*/*/*/*/metrics.json")}
    assert set(folders) == {"fastadasp", "average"}
    single = warm(RUN, *common, "merge=average", "merge.ratio=0.5", cwd=tmp_path)
    output, errors = single.communicate(timeout=300)
    assert single.returncode == 0, errors
    assert str(folders["average"]) in output
    assert len(list(tmp_path.glob("out/*/*/*/*"))) == 2
