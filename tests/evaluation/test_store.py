"""Predictions survive kills, torn lines and second processes."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fastadasp.errors import InputError
from fastadasp.evaluation.store import RunStore
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
