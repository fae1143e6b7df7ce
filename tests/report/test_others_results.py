"""Results of other people are data: nothing runs for them, nothing leaves the report's folder, nothing is markup."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from fastadasp.cli.report import report
from fastadasp.errors import InputError
from fastadasp.report.plain import code, escaped, file_name
from fastadasp.report.runs import Run, find_runs, names
from fastadasp.report.tabulate import tabulate
from tests.helpers.finished_run import write_run

MINE = """
from pathlib import Path
from dataclasses import dataclass
from fastadasp.tasks.er import ER
Path(__file__).with_name("was_imported").touch()
@dataclass(frozen=True)
class Mine(ER): pass
"""


def task(target: object, **settings: Any) -> dict[str, Any]:
    return {"task": {"_target_": target, "manifest": "er.jsonl", **settings}}


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "another_task.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "another_task", raising=False)
    return folder / "was_imported"


def test_a_task_of_another_module_is_not_imported_unless_its_user_says_so(
    tmp_path: Path, own_module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, "none", 36, config=task("another_task.Mine"))
    with pytest.raises(InputError, match=r"0: its task is of the class 'another_task\.Mine'.*--trust PACKAGE\.MODULE"):
        report([str(tmp_path)])
    assert not own_module.exists()
    report([str(tmp_path), "--trust", "another_task", "--resamples", "40"])
    assert own_module.exists()
    assert "| full tokens | 90.0 [" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"--trust no_such_module: cannot be imported"):
        Run.read(write_run(tmp_path, "x", 3, config=task("no_such_module.X")), ["no_such_module"]).task  # noqa: B018


@pytest.mark.parametrize(
    "target",
    ["os.system", "subprocess.Popen", "pathlib.Path", "fastadasp.tasks.base.Nothing", "fastadasp.tasks.text.unwrap",
     "fastadasp.cli.run.main", "fastadasp.tasks.er", "ER", "", None, 3, ["os.system"]],
)  # fmt: skip
def test_what_is_no_task_is_refused(tmp_path: Path, target: object) -> None:
    with pytest.raises(InputError, match="its task is of the class"):
        Run.read(write_run(tmp_path, "none", 3, config=task(target))).task  # noqa: B018


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"instruction": "${oc.env:HOME}"}, r"settings hold '\$\{oc\.env:HOME\}'"),
        ({"labels": {"_target_": "os.system", "command": "touch x"}}, "settings hold '_target_: os.system'"),
        ({"labels": {"a": ["${now:%Y}"]}}, "settings hold"),
        ({"audio": {"_target_": "subprocess.Popen", "args": "touch x"}}, "settings hold '_target_: subprocess.Popen'"),
        ({"unknown": 1}, r"cannot be built as this version knows it: task\.unknown does not exist"),
    ],
)
def test_settings_that_would_be_looked_up_or_built_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    run = Run.read(write_run(tmp_path, "none", 3, config=task("fastadasp.tasks.er.ER", **settings)))
    with pytest.raises(InputError, match=message):
        run.task  # noqa: B018


def test_the_settings_of_a_task_as_a_run_writes_them_are_taken(tmp_path: Path) -> None:
    audio = {"_target_": "fastadasp.data.audio_options.AudioOptions", "channel": "left"}
    run = Run.read(write_run(tmp_path, "none", 3, config=task("fastadasp.tasks.er.ER", audio=audio)))
    assert run.task.audio.channel == "left"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"task": 3}, "field 'task' must be a text, got 3"),
        ({"quality": []}, r"field 'quality' must be an object, got \[\]"),
        ({"quality": {"accuracy": "x"}}, r"field 'quality\.accuracy' must be a number, got 'x'"),
        ({"quality": {}}, r"field 'quality\.accuracy' must be a number, got None"),
        ({"reduction": {}}, "in reduction: field 'measured' is missing"),
        ({"cost": {"kv_bytes_saved": []}}, "in cost: field 'kv_bytes_saved' must be a number, got \\[\\]"),
        ({"config": {}}, "in config: field 'task' is missing"),
        (
            {"config": {"task": {}, "merge": {"ratio": "x"}}},
            "in config: in merge: field 'ratio' must be a number, got 'x'",
        ),
        ({"provenance": None}, "field 'provenance' must be an object, got None"),
    ],
)
def test_a_file_that_no_run_writes_is_named_with_the_field(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    folder = write_run(tmp_path, "none", 3, more=more)
    with pytest.raises(InputError, match=rf"{folder}/metrics\.json is not what a run writes: {message}; leave"):
        find_runs([tmp_path])


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1, "a": 2}', "\0", "{" * 5000])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    folder = write_run(tmp_path, "none", 3)
    (folder / "metrics.json").write_text(content)
    with pytest.raises(InputError, match=rf"{folder}/metrics\.json: ") as caught:
        find_runs([tmp_path])
    assert len(str(caught.value)) < 400


def test_answers_that_are_not_those_of_the_metrics_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "none", 3, more={"examples": 41})
    with pytest.raises(InputError, match=r"made of 41 answers, predictions\.jsonl holds 40"):
        tabulate(find_runs([tmp_path]), {folder: "none"}, 40)
    (folder / "predictions.jsonl").unlink()
    with pytest.raises(InputError, match=r"predictions\.jsonl holds 0"):
        tabulate(find_runs([tmp_path]), {folder: "none"}, 40)


EVIL = "<script>alert(1)</script>|a`b`[x](javascript:1)\n\x1b[31m**bold** $x$ _y_ [/red]"


def test_names_become_neither_markup_nor_paths_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {"task": "../../x", "model": EVIL}
    write_run(tmp_path, "none", 36, more=before)
    write_run(tmp_path, EVIL, 30, 0.3, more=before, ratio=0.3)
    write_run(tmp_path, "_stride", 30, 0.3, more=before, ratio=0.3)
    inside = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    out = tmp_path / "a" / "b" / "out"
    report([str(tmp_path), "--out", str(out), "--resamples", "40"])
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} - inside
    assert all(path.parts[:3] == ("a", "b", "out") or len(path.parts) < 3 for path in written)
    assert sorted(path.suffix for path in out.iterdir()) == [
        *(".csv", ".json", ".jsonl", ".md", ".png", ".svg", ".tex"),
    ]
    text = (out / "report.md").read_text()
    assert text.splitlines()[:3] == capsys.readouterr().out.splitlines()[:3]
    assert "<script" not in text and "\x1b" not in text
    (row,) = (line for line in text.splitlines() if line.startswith("| &lt;script&gt;"))
    assert row.replace("\\|", "").count("|") == 3, "one cell for the name, one for the amount"
    for sign in ("\\|a\\`b\\`\\[x\\]", "\\*\\*bold\\*\\*", "\\$x\\$", "\\_y\\_"):
        assert sign in row
    (content,) = (json.loads(file.read_text()) for file in out.glob("*.json"))
    assert EVIL in content["rows"], "in JSON names stay as they are"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../x", "x"),
        ("er-tiny", "er-tiny"),
        ("/etc/passwd", "etc_passwd"),
        ("..", "unnamed"),
        ("a\0b\\c:d", "a_b_c_d"),
        ("...a..b.json", "a.b.json"),
        ("情感-模型", "情感-模型"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_of_files_stay_in_their_folder(name: str, file: str) -> None:
    assert file_name(name) == file


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("fastadasp_kv_evict layer=2", "at most 4 (ours), 30 %", "A-ToMe: x, y", "drei Wörter"):
        assert escaped(name) == name
    assert code("org/model-7B_x") == "`org/model-7B_x`"
    assert code("a`b|c") == r"a\`b\|c"


def test_tables_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for model in ("a/b", "a|b", "A_b"):
        write_run(tmp_path, "none", 36, more={"model": model})
    report([str(tmp_path), "--out", str(tmp_path / "out"), "--resamples", "40"])
    assert {path.name for path in (tmp_path / "out").glob("*.json")} == {
        "er-a_b.json", "er-a_b-2.json", "er-A_b-3.json",
    }  # fmt: skip
    assert (tmp_path / "out" / "report.md").read_text().count("![") == 3


@pytest.mark.parametrize("resamples", ["0", "-5", "1", "39", "1000000000"])
def test_too_few_and_too_many_resamples_are_refused_with_what_is_allowed(tmp_path: Path, resamples: str) -> None:
    write_run(tmp_path, "none", 36)
    with pytest.raises(InputError, match=rf"--resamples {resamples}: it must be a whole number from 40 to 100000"):
        report([str(tmp_path), "--resamples", resamples])


def test_names_of_rows_stay_short_where_settings_are_long(tmp_path: Path) -> None:
    for layers in ("x" * 5000, "y" * 5000):
        write_run(tmp_path, "random", 9, ratio=0.1, layers=layers)
    assert max(map(len, names(find_runs([tmp_path])).values())) < 150
