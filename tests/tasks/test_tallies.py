"""Tallies that several processes count, in parts of several runs at once, are those of one prediction after another."""

from pathlib import Path

import pytest

from fastadasp.tasks import tallies
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Prediction
from fastadasp.tasks.counted import Counted
from tests.tasks.test_many_scores import sentences


@pytest.fixture
def shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MOST_IN_MEMORY", 10)
    monkeypatch.setattr(tallies, "AT_ONCE", 7)
    monkeypatch.setattr(tallies, "usable_cores", lambda: 2)


@pytest.mark.usefixtures("shared_out")
def test_processes_count_as_one_does(tmp_path: Path) -> None:
    task, runs = ASR(tmp_path), [sentences(100, seed) for seed in (0, 1)]
    found = list(tallies.tallied(task.tally, *runs))
    assert [predictions for predictions, _ in found] == list(zip(*runs, strict=True))
    assert [counts for _, counts in found] == [tuple(map(task.tally, pair)) for pair in zip(*runs, strict=True)]
    counted = Counted.of_each(task, runs)
    assert [one.counts_NK.tolist() for one in counted] == [[list(task.tally(one)) for one in run] for run in runs]
    sums = [sum(column) for column in zip(*map(task.tally, runs[0]), strict=True)]
    assert task.metrics(runs[0])["wer"] == pytest.approx(task.score(sums))


@pytest.mark.usefixtures("shared_out")
def test_a_mistake_in_a_process_is_raised(tmp_path: Path) -> None:
    broken = [Prediction("0", "", None, "words")] * 20  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        list(tallies.tallied(ASR(tmp_path).tally, broken))


def test_work_grows_as_the_clips_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each prediction is tallied once and read once, however many there are."""

    class Counting(ASR):
        tallied = 0

        def tally(self, prediction: Prediction) -> tuple[float, ...]:
            type(self).tallied += 1
            return super().tally(prediction)

    for clips in (100, 1000):
        Counting.tallied = 0
        Counting(tmp_path).metrics(sentences(clips, 0))
        assert Counting.tallied == clips
