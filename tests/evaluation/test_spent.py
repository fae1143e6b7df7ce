"""Where the time of a run went."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastadasp.evaluation.spent import PARTS, described, where_time_goes
from fastadasp.evaluation.totals import Batches
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.process.stopwatch import spent_on, taken
from fastadasp.tasks.base import Example, Prediction


def test_parts_are_summed_over_batches_each_of_which_counts_once() -> None:
    first = {"batch": 0, "prefill_s": 3.0, "decode_s": 2.0, "encoder_s": 1.0, "answer_s": 6.0}
    first |= {"read_s": 0.5, "features_s": 0.25, "wait_s": 0.125}
    second = {"batch": 1, "prefill_s": 1.0, "decode_s": 1.0, "encoder_s": 0.5, "answer_s": 2.5, "capture_s": 0.5}
    batches = Batches()
    batches.add([Prediction(str(number), "", "", "", cost=cost) for number, cost in enumerate([first, second, first])])
    found = where_time_goes(batches, scoring_s=4.0)
    expected = {"read": 0.5, "features": 0.25, "wait": 0.125, "encoder": 1.5, "prefill": 2.5, "decoding": 3.5}
    assert found == {f"time_{name}_s": value for name, value in {**expected, "other": 1.0, "scoring": 4.0}.items()}
    assert "encoder 12%" in str(described(found)) and "(read 0.5 s, features 0.2 s)" in str(described(found))
    assert list(found) == [f"time_{name}_s" for name in PARTS]


def test_runs_of_earlier_versions_say_nothing_of_it() -> None:
    batches = Batches()
    assert where_time_goes(batches, 1.0) == {}
    batches.add([Prediction("1", "", "", "", cost={"batch": 0, "prefill_s": 1.0, "decode_s": 1.0})])
    assert where_time_goes(batches, 1.0) == {} and described({}) is None


def test_a_run_notes_what_reading_and_the_encoder_take(
    evaluate: Callable[..., tuple[Path, float]], tones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Qwen2AudioRandom.read

    def slowly(self: Qwen2AudioRandom, example: Example) -> object:
        with spent_on("read"):
            time.sleep(0.05)
        return read(self, example)

    monkeypatch.setattr(Qwen2AudioRandom, "read", slowly)
    folder, _ = evaluate("task=asr", f"task.manifest={tones}", "hardware.batch_size=2")
    cost = json.loads((folder / "cost.json").read_text())
    assert cost["time_read_s"] > 5 * 0.05 and cost["time_wait_s"] > cost["time_read_s"]
    assert 0 < cost["time_encoder_s"] < sum(cost[f"time_{name}_s"] for name in PARTS)
    assert not taken() or set(taken()) <= {"read"}
