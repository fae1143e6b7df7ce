"""`fastadasp compare`: numbers against scipy and statsmodels, what is refused, and what is written."""

import csv
import html.parser
import io
import json
from pathlib import Path
from typing import Any

import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from fastadasp.cli.compare import compare, main
from fastadasp.errors import InputError
from tests.helpers.finished_run import EXAMPLES, write_answers, write_run
from tests.helpers.miniatures import tone

SPEAKERS = 8
TEXT = "the quick brown fox ran away"


def spoken(root: Path, merge: str, errors: int, manifest: str = "asr.jsonl", **settings: Any) -> Path:
    """A recognition run of 40 clips by 8 speakers: each seventh has `errors` of its 6 words wrong."""
    words = TEXT.split()
    lines = []
    for number in range(EXAMPLES):
        wrong = errors if number % 7 == 0 else 0
        answer = " ".join(["wrong"] * wrong + words[wrong:])
        meta = {"speaker": f"s{number % SPEAKERS}"}
        lines.append({"id": f"a{number}", "text": answer, "answer": answer, "reference": " ".join(words), "meta": meta})
    task = {"_target_": "fastadasp.tasks.asr.ASR", "manifest": manifest}
    return write_answers(root, merge, "asr", task, {"wer": 6 * errors / 240}, lines, **settings)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    compare([*map(str, arguments), "--json"])
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_runs_of_choices_have_mcnemars_p_corrected_as_statsmodels_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full, near, far = (
        write_run(tmp_path, "none", 36),
        write_run(tmp_path, "a", 35, ratio=0.1),
        write_run(tmp_path, "a", 28, ratio=0.5),
    )
    found = told(capsys, full, near, far)
    tests = [mcnemar([[36 - lost, lost], [0, 4]], exact=True).pvalue for lost in (1, 8)]
    assert [one["test"]["p"] for one in found["comparisons"]] == pytest.approx(tests)
    assert [one["p_corrected"] for one in found["comparisons"]] == pytest.approx(
        multipletests(tests, method="holm")[1].tolist()
    )
    assert [one["gain"]["value"] for one in found["comparisons"]] == pytest.approx([-1 / 40, -8 / 40])
    assert [one["verdict"] for one in found["comparisons"]] == ["undecided", "worse"]
    assert [len(one["broken"]) for one in found["comparisons"]] == [1, 8]
    assert list(found["scores"]) == ["none", "a ratio=0.1", "a ratio=0.5"]
    by_bh = told(capsys, full, near, far, "--correction", "bh")
    assert [one["p_corrected"] for one in by_bh["comparisons"]] == pytest.approx(
        multipletests(tests, method="fdr_bh")[1].tolist()
    )


def test_speakers_are_drawn_and_exchanged_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = spoken(tmp_path, "none", 1), spoken(tmp_path, "a", 2, ratio=0.3)
    found = told(capsys, first, second)
    assert (found["clips"], found["clusters"], found["unit"]) == (40, 8, "speakers")
    (one,) = found["comparisons"]
    assert (one["test"]["exchanges"], one["test"]["p"]) == (2**6, 2 / 2**6), "six speakers have a clip that broke"
    by_clip = told(capsys, first, second, "--cluster", "clips")
    assert (by_clip["clusters"], by_clip["unit"]) == (40, "clips")


def test_a_run_may_be_shown_to_be_no_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = spoken(tmp_path, "none", 1), spoken(tmp_path, "a", 2, ratio=0.3)
    wide, narrow = (told(capsys, first, second, "--margin", margin)["comparisons"][0] for margin in (10, 3))
    assert wide["gain"]["value"] == pytest.approx(6 / 240)
    assert wide["p_no_worse"] < 0.05 < narrow["p_no_worse"]
    assert wide["verdict"] == "worse, but by less than the margin"
    assert narrow["verdict"] == "worse"


def test_all_pairs_are_compared_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [write_run(tmp_path, "a", right, ratio=right / 100) for right in (36, 30, 20)]
    found = told(capsys, *folders, "--all-pairs")
    pairs = [(one["first"], one["second"]) for one in found["comparisons"]]
    assert pairs == [("a ratio=0.36", "a ratio=0.3"), ("a ratio=0.36", "a ratio=0.2"), ("a ratio=0.3", "a ratio=0.2")]


def test_other_scores_are_compared_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = write_run(tmp_path, "none", 36), write_run(tmp_path, "a", 20, ratio=0.3)
    found = told(capsys, first, second, "--metric", "macro_f1")
    assert found["metric"] == "macro_f1"
    scores = [interval["value"] for interval in found["scores"].values()]
    assert scores == pytest.approx([2 * right / (right + 40) for right in (36, 20)])
    with pytest.raises(InputError, match="task er has no score 'wer' with an interval; it has accuracy, macro_recall"):
        compare([str(first), str(second), "--metric", "wer"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"generation": {"num_beams": 4}}, r"generation\.num_beams=1 against generation\.num_beams=4.*--differ gen"),
        ({"generation": {"num_beams": 1}, "seed": 3}, r"seed=None against seed=3.*--differ seed"),
    ],
)
def test_other_settings_are_refused_by_name_unless_they_are_allowed(
    tmp_path: Path, config: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_run(tmp_path, "none", 36, config={"generation": {"num_beams": 1}})
    second = write_run(tmp_path, "a", 30, config=config, ratio=0.3)
    with pytest.raises(InputError, match=message):
        compare([str(first), str(second)])
    key = "seed" if "seed" in config else "generation"
    found = told(capsys, first, second, "--differ", key)
    assert all(key in name for name in found["scores"]), "the runs' names say in what they differ"


def test_other_tasks_models_clips_and_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write_run(tmp_path, "none", 36)
    for folders, message in (
        ([first, write_run(tmp_path, "a", 30, ids="x")], "ran other examples"),
        ([first, spoken(tmp_path, "none", 1)], "only runs of one task and model"),
        ([first, write_run(tmp_path, "a", 30, more={"model": "other"})], r"er by other and er by some.*--differ model"),
        ([first], "needs two runs"),
        ([first, tmp_path], r"holds \d runs; name one of them"),
        ([first, tmp_path / "gone"], "no finished run"),
    ):
        with pytest.raises(InputError, match=message):
            compare([*map(str, folders)])
    for option, message in (("--margin=0", "must be a number of points above 0"), ("--clips=-1", "number of clips")):
        with pytest.raises(InputError, match=message):
            compare([str(first), str(first), option])
    found = told(capsys, first, write_run(tmp_path, "none", 30, more={"model": "third"}), "--differ", "model")
    assert list(found["scores"]) == ["none some", "none third"]


def test_equal_runs_are_undecided_where_clips_are_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = write_run(tmp_path, "none", 36), write_run(tmp_path, "a", 36, ratio=0.1)
    (one,) = told(capsys, first, second)["comparisons"]
    assert (one["test"]["p"], one["verdict"], one["detectable"]) == (1.0, "undecided", None)
    (wide,) = told(capsys, first, second, "--margin", "20")["comparisons"]
    assert wide["verdict"] == "no worse"


def test_text_csv_and_markdown_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = spoken(tmp_path, "none", 1), spoken(tmp_path, "a|b", 2, ratio=0.3)
    found = told(capsys, first, second)["comparisons"][0]
    compare([str(first), str(second), "--clips", "2"])
    text = capsys.readouterr().out
    assert "asr by some: wer (lower is better), 40 clips of 8 speakers" in text
    assert f"difference        +{found['gain']['value'] * 100:.2f} [" in text
    assert "6 broken, 0 mended, 34 as before" in text
    assert "wrong wrong brown fox ran away" in text
    assert "... and 4 more" in text
    compare([str(first), str(second), "--csv"])
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(row["difference"]) == pytest.approx(100 * found["gain"]["value"], abs=1e-4)
    assert (float(row["p"]), row["broken"], row["unit"]) == (found["test"]["p"], "6", "speakers")
    compare([str(first), str(second), "--markdown"])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(r"| a\|b"))
    assert line.replace(r"\|", "").count("|") == 11


class Page(html.parser.HTMLParser):
    """Tags of a page and what its players refer to."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name == "src"]


@pytest.mark.parametrize("embed", [False, True])
def test_a_page_plays_the_clips_and_takes_answers_for_text(tmp_path: Path, embed: bool) -> None:
    folder = tmp_path / "my clips"
    folder.mkdir()
    lines = []
    for number in range(EXAMPLES):
        tone(folder / f"{number}.wav", 0.3)
        lines.append({"id": f"a{number}", "audio": f"{number}.wav", "text": TEXT})
    lines[7]["audio"] = {"file": "7.wav", "start": 0.1, "seconds": 0.1}
    (folder / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    runs = [spoken(tmp_path, "<script>alert(1)</script>", n, str(folder / "m.jsonl"), ratio=n / 10) for n in (1, 2)]
    out = tmp_path / "page" / "clips.html"
    compare([*map(str, runs), "--html", str(out), *(["--embed"] if embed else []), "--clips", "3"])
    page = Page(out.read_text())
    assert "script" not in page.tags
    assert len(page.sources) == 3
    if embed:
        assert all(source.startswith("data:audio/wav;base64,UklGR") for source in page.sources)
    else:
        assert page.sources[:2] == ["../my%20clips/0.wav", "../my%20clips/7.wav#t=0.1,0.2"]


def test_errors_end_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        main([str(tmp_path), str(tmp_path)])
    assert capsys.readouterr().err.startswith("no finished run")
