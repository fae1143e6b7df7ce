"""Predictions survive kills, torn lines and second processes."""

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import InputError
from fastadasp.evaluation.store import RunStore, StoreError, drop_torn_line
from fastadasp.tasks.base import Prediction


def prediction(id: str, **fields: object) -> Prediction:
    return Prediction(id=id, text=f"text of {id}", answer="ä", reference="r", **fields)  # type: ignore[arg-type]


def test_what_is_read_is_what_was_appended(tmp_path: Path) -> None:
    first = prediction("a", audio_tokens=3, audio_tokens_per_layer=(3, 3, 1), cost={"prefill_s": 0.25}, meta={"x": [1]})
    RunStore(tmp_path).append([first, prediction("b", error="no audio")])
    assert list(RunStore(tmp_path).predictions().values()) == [first, prediction("b", error="no audio")]


@pytest.mark.parametrize("torn", ['{"id": "c", "te', '{"id": "c"}', "{"])
def test_a_torn_last_line_is_dropped_and_its_example_runs_again(tmp_path: Path, torn: str) -> None:
    store = RunStore(tmp_path)
    store.append([prediction("a"), prediction("b")])
    with (tmp_path / "predictions.jsonl").open("a") as file:
        file.write(torn)
    assert set(store.predictions()) == {"a", "b"}
    store.append([prediction("c")])
    assert list(store.predictions().values()) == [prediction("a"), prediction("b"), prediction("c")]


def test_line_separators_inside_an_answer_do_not_end_its_line(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    odd = dataclasses.replace(prediction("a"), text="one\u2028two\x85three")
    store.append([odd])
    assert store.predictions() == {"a": odd}


def test_a_kill_inside_a_character_is_no_obstacle(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.append([prediction("a")])
    with (tmp_path / "predictions.jsonl").open("ab") as file:
        file.write('{"id": "ä'.encode()[:-1])
    assert set(store.predictions()) == {"a"}


def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.append([prediction("a")])
    with (tmp_path / "predictions.jsonl").open("a") as file:
        file.write('{"id": "b"}\n')
    with pytest.raises(InputError, match=r"predictions\.jsonl, line 2 is not a prediction"):
        store.predictions()


GOOD = '{"id": "b", "text": "", "answer": "", "reference": ""'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"garbage", r"not JSON: Expecting value at column 1, before 'garbage'"),
        (b"\0" * 40, "NUL bytes stand: the file is damaged"),
        (b"[1]", r"must be an object, as in \{\.\.\.\}, got \[1\]"),
        (b"null", "must be an object"),
        (b'{"id": "b"}', "field 'text' is missing"),
        (GOOD.encode() + b', "score": 1}', "unknown field 'score'; known are id, text, answer"),
        (GOOD.replace('"b"', "7").encode() + b"}", "field 'id' must be a text, got 7"),
        (GOOD.replace('"b"', "[]").encode() + b"}", r"field 'id' must be a text, got \[\]"),
        (GOOD.encode() + b', "audio_tokens": "many"}', "field 'audio_tokens' must be a whole number, got 'many'"),
        (GOOD.encode() + b', "audio_tokens_per_layer": [1, null]}', r"'audio_tokens_per_layer\[1\]' must be a whole"),
        (GOOD.encode() + b', "cost": {"prefill_s": "x"}}', r"field 'cost\.prefill_s' must be a number, got 'x'"),
        (GOOD.encode() + b', "error": 3}', "field 'error' must be a text, got 3"),
        (GOOD.encode() + b', "meta": {"x": "\\ud800"}}', "holds half of a character"),
        (GOOD.encode() + b', "meta": ' + b"[" * 5000 + b"}", "more than 50 deep"),
        (GOOD.replace('"b"', '"\xff"').encode("latin-1") + b"}", "not UTF-8 text"),
        ("{'id': 'b'}".encode("utf-16"), "not UTF-8 text, which may be UTF-16"),
    ],
)
def test_a_line_that_is_no_prediction_is_named_with_what_is_wrong_and_what_to_do(
    tmp_path: Path, line: bytes, message: str
) -> None:
    store = RunStore(tmp_path)
    store.append([prediction("a")])
    with (tmp_path / "predictions.jsonl").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(InputError, match=rf"predictions\.jsonl, line 2.*{message}.*; delete the line") as caught:
        store.predictions()
    assert len(str(caught.value)) < 600


def test_a_file_that_an_editor_has_saved_again_is_read(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.append([prediction("a"), prediction("b")])
    file = tmp_path / "predictions.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert list(store.predictions().values()) == [prediction("a"), prediction("b")]
    store.append([prediction("c")])
    assert [done.id for done in store.consolidate("abc")] == ["a", "b", "c"]


def test_nuls_that_a_power_cut_leaves_at_the_end_are_dropped(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.append([prediction("a")])
    with (tmp_path / "predictions.jsonl").open("ab") as file:
        file.write(b"\0" * 4096)
    assert set(store.predictions()) == {"a"}
    store.append([prediction("b")])
    assert set(store.predictions()) == {"a", "b"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\0\0", b'{"a": 1}x', b'{"a": "\xff"}'])
def test_a_damaged_result_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(InputError, match=r"metrics\.json.*; delete the file, and the run's own command writes it anew"):
        RunStore(tmp_path).read("metrics.json")


def test_the_files_of_several_processes_become_one_in_the_order_of_the_examples(tmp_path: Path) -> None:
    for rank, ids in ((0, "cf"), (1, "ad"), (2, "be")):
        RunStore(tmp_path, rank).append([prediction(id) for id in ids])
    assert set(RunStore(tmp_path, 1).predictions()) == set("abcdef"), "a resumed process knows what others have done"
    ordered = RunStore(tmp_path).consolidate("abcdef")
    assert [done.id for done in ordered] == list("abcdef")
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.jsonl"]
    assert list(RunStore(tmp_path).predictions().values()) == ordered


def test_consolidating_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    RunStore(tmp_path).append([prediction("a")])
    with pytest.raises(RuntimeError, match="1 of 2 examples have no prediction, first b"):
        RunStore(tmp_path).consolidate(["a", "b"])


def test_results_are_replaced_at_one_stroke(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write("metrics.json", {"wer": 0.5})
    with pytest.raises(TypeError):
        store.write("metrics.json", {"wer": object()})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"wer": 0.5}


def test_a_second_process_is_kept_out_until_the_first_one_dies(tmp_path: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from fastadasp.evaluation.store import RunStore\n"
        "with RunStore(Path(sys.argv[1])).locked(): print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with (
            pytest.raises(InputError, match="another process is running this very configuration"),
            RunStore(tmp_path).locked(),
        ):
            pass
        other.kill()
    with RunStore(tmp_path).locked():
        assert (tmp_path / ".lock").exists()


def test_a_folder_belongs_to_the_run_that_came_first(tmp_path: Path) -> None:
    with RunStore(tmp_path).locked():
        RunStore(tmp_path).claim("0123456789ab")
        RunStore(tmp_path).claim("0123456789ab")
        with pytest.raises(StoreError, match=r"holds another run: its fingerprint is 0123456789ab, .*fedcba987654"):
            RunStore(tmp_path).claim("fedcba987654")


def test_a_finished_run_of_an_earlier_version_is_known_by_its_results(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write("metrics.json", {"fingerprint": "0123456789ab"})
    with pytest.raises(StoreError, match="holds another run"):
        store.claim("fedcba987654")
    store.claim("0123456789ab")


def test_answers_name_what_they_come_from(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    old, new = store.note_origin({"commit": "a"}), store.note_origin({"commit": "b"})
    assert store.note_origin({"commit": "a"}) == old != new
    made = [prediction("x", origin=new), prediction("y", origin=old), prediction("z", origin=new), prediction("w")]
    assert store.origins(Counter(answer.origin for answer in made if answer.origin)) == [
        {"commit": "b", "examples": 2},
        {"commit": "a", "examples": 1},
    ]
    store.append(made)
    assert [found.origin for found in RunStore(tmp_path).predictions().values()] == [new, old, new, ""]


def test_what_cannot_be_written_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file.* cannot be written: .*output_dir=\.\.\. puts results elsewhere"):
        RunStore(tmp_path / "file" / "run").locked().__enter__()
    store = RunStore(tmp_path)
    store.append([prediction("a")])
    written = (tmp_path / "predictions.jsonl").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        for fails in (lambda: store.write("cost.json", {"x": 1}), lambda: store.consolidate("a")):
            (tmp_path / "predictions-1.jsonl").touch()
            with pytest.raises(StoreError, match=r"cannot be written: No space left on device\. What is already there"):
                fails()
    assert (tmp_path / "predictions.jsonl").read_bytes() == written
    assert not list(tmp_path.glob("*.new")), "no half of a file stays on the full disk"


SMALL_DISK = """
import sys
from pathlib import Path
from fastadasp.config.messages import readable_errors
from fastadasp.config.paths import REPOSITORY
from fastadasp.evaluation.store import RunStore, StoreError, drop_torn_line
from tests.evaluation.test_store import prediction
store = RunStore(Path(sys.argv[1]))
with readable_errors():
    for number in range(2000):
        store.append([prediction(str(number), meta={"x": "y" * 100})])
        print(number, flush=True)
"""


def test_what_a_full_disk_has_taken_is_there_after_the_sentence(tmp_path: Path) -> None:
    command = [f"ulimit -f 200; exec {sys.executable} -c '{SMALL_DISK}' {tmp_path}"]
    done = subprocess.run(
        ["bash", "-c", *command], capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=60
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "predictions.jsonl cannot be written: File too large" in done.stderr
    stored = RunStore(tmp_path).predictions()
    assert list(stored) == done.stdout.split() and len(stored) > 100
    RunStore(tmp_path).append([prediction("next")])
    assert list(RunStore(tmp_path).predictions()) == [*stored, "next"]


def test_results_that_are_there_already_are_not_written_again(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.append([prediction(id) for id in "ab"])
    store.consolidate("ab")
    store.write("metrics.json", {"wer": 0.5})
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    store.consolidate("ab")
    store.write("metrics.json", {"wer": 0.5})
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    store.consolidate("ba")
    assert [line[8] for line in (tmp_path / "predictions.jsonl").read_text().splitlines()] == ["b", "a"]


def test_appending_to_a_long_file_does_not_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "predictions.jsonl"
    file.write_bytes(b"x" * 100_000 + b"\n" + b"y" * 10_000)
    drop_torn_line(file)
    assert file.stat().st_size == 100_001
    drop_torn_line(file)
    assert file.stat().st_size == 100_001
    file.write_bytes(b"y" * 10_000)
    drop_torn_line(file)
    assert file.stat().st_size == 0
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("the whole file is read"))
    RunStore(tmp_path).append([prediction("a")])
