"""`fastadasp data check|convert|describe`, and corpora chosen by `data=` in a run's settings."""

import json
from pathlib import Path

import pytest

from fastadasp.cli.data import main
from fastadasp.config.fingerprint import fingerprint
from fastadasp.data import corpus as module
from tests.helpers.configs import composed
from tests.helpers.miniatures import MINIATURES, Miniature, tone


@pytest.fixture
def kaldi(tmp_path: Path) -> Miniature:
    return MINIATURES["kaldi"](tmp_path / "kaldi")


def test_describe_counts_what_a_corpus_or_a_manifest_holds(
    tmp_path: Path, kaldi: Miniature, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["describe", "kaldi", f"root={kaldi.root}"])
    printed = capsys.readouterr().out
    for line in ("examples   2", "hours      0.00", "shortest 0.75, median 1.00, longest 1.00", "speakers   2"):
        assert line in printed
    assert "2 examples; left out: 1 (no line in text)" in printed
    main(["convert", "kaldi", f"root={kaldi.root}", "--out", str(tmp_path / "m.jsonl")])
    assert "m.jsonl: 2 examples" in capsys.readouterr().out
    main(["describe", str(tmp_path / "m.jsonl")])
    assert capsys.readouterr().out.splitlines() == printed.splitlines()[:-1]


def test_check_listens_to_all_audio_if_asked_to(
    tmp_path: Path, kaldi: Miniature, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["convert", "kaldi", f"root={kaldi.root}", "--out", str(tmp_path / "m.jsonl")])
    main(["check", str(tmp_path / "m.jsonl"), "--listen"])
    assert "m.jsonl: 2 examples, no problem" in capsys.readouterr().out
    (kaldi.root / "audio" / "a.wav").write_bytes(b"RIFF")
    main(["check", str(tmp_path / "m.jsonl")])
    with pytest.raises(SystemExit, match="1"):
        main(["check", str(tmp_path / "m.jsonl"), "--listen"])
    assert "1 problem in manifest" in capsys.readouterr().err


def test_check_reads_as_a_task_does(tmp_path: Path, kaldi: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = ["kaldi", f"root={kaldi.root}"]
    main(["check", *corpus, "--task", "asr"])
    assert "kaldi: 2 examples, no problem" in capsys.readouterr().out
    for task, message in (("st", "line 1: field 'translation' is missing"), ("asra", "did you mean asr?")):
        with pytest.raises(SystemExit, match="1"):
            main(["check", *corpus, "--task", task])
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "kaldy"], "kaldy is neither a manifest nor a corpus; did you mean kaldi?"),
        (["check", "kaldi"], "data.root must be given"),
        (["check", "kaldi", "root=/gone", "rot=1"], "data.rot does not exist; did you mean root?"),
        (["check", "kaldi", "root=/gone"], "Kaldi in /gone: no list of recordings"),
        (["convert", "kaldi", "root=/gone"], "--out must be given"),
    ],
)
def test_what_is_wrong_is_told(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(arguments)
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed


def test_bad_lines_can_be_left_out(tmp_path: Path, kaldi: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    (kaldi.root / "audio" / "a.wav").unlink()
    out = tmp_path / "m.jsonl"
    with pytest.raises(SystemExit, match="1"):
        main(["convert", "kaldi", f"root={kaldi.root}", "--out", str(out)])
    assert "1 problem in corpus Kaldi" in capsys.readouterr().err
    main(["convert", "kaldi", f"root={kaldi.root}", "--out", str(out), "--skip-bad"])
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["b"]
    assert "left out: 1 (bad), 1 (no line in text)" in capsys.readouterr().out


def test_a_runs_name_follows_what_the_corpus_holds(
    tmp_path: Path, kaldi: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name(*more: str) -> str:
        monkeypatch.setattr(module, "_written", {})  # as in another process
        settings = ("task=asr", "data=kaldi", f"data.root={kaldi.root}", f"output_dir={tmp_path}/out", *more)
        return fingerprint(composed(*settings))

    first = name()
    assert name() == first
    (kaldi.root / "text").write_text("a other words\nb second one\n")
    second = name()
    assert second != first
    tone(kaldi.root / "audio" / "a.wav", 1.25)
    assert name() not in (first, second)
    manifest = composed("task=asr", "data=kaldi", f"data.root={kaldi.root}", f"output_dir={tmp_path}/out").task.manifest
    assert Path(manifest).parent.parent == tmp_path / "out" / "data"


def test_an_error_of_a_corpus_is_told_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    from fastadasp.config.messages import readable_errors

    with pytest.raises(SystemExit, match="1"), readable_errors():
        fingerprint(composed("task=asr", "data=kaldi", "data.root=/gone"))
    assert capsys.readouterr().err.startswith("no list of recordings (wav.scp): /gone/wav.scp does not exist")


@pytest.mark.parametrize(
    "name", ["kaldi", "huggingface", "audiofolder", "webdataset", "librispeech", "mmau", "voxceleb"]
)
def test_a_folder_in_the_place_of_a_manifest_is_told_its_option(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = MINIATURES[name](tmp_path / "corpus")
    folder = small.root / "test" if name == "audiofolder" else small.root
    with pytest.raises(SystemExit):
        main(["check", str(folder)])
    assert f"for this folder, try `{name} root={folder}`" in capsys.readouterr().err
