"""What a run makes of its audio: lengths that were read count, remarks are kept, wrong options stop it at once."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fastadasp.data.audio.decoders import ffmpeg
from fastadasp.data.audio.decoders.base import Decoding
from fastadasp.data.manifest import ManifestError
from fastadasp.evaluation.store import RunStore
from tests.helpers.audio_files import FIXTURES, sweep

Evaluate = Callable[..., tuple[Path, float]]


def edit(manifest: Path, **changes: dict[str, Any]) -> None:
    """Change fields of the manifest's lines, by id (tone_1 for tone-1)."""
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    for line in lines:
        line |= changes.get(line["id"].replace("-", "_"), {})
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("workers", [0, 1])
def test_the_length_that_was_read_counts_and_a_wrong_declaration_is_reported(
    evaluate: Evaluate, tones: Path, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    edit(tones, tone_1={"seconds": 2500}, tone_5={"seconds": 0.25}, tone_3={"seconds": 0.61})
    with caplog.at_level(logging.WARNING):
        folder, _ = evaluate("task=asr", f"task.manifest={tones}", f"hardware.num_workers={workers}")
    seconds = {id: found.seconds for id, found in RunStore(folder).predictions().items()}
    assert seconds == pytest.approx({f"tone-{number}": number * 0.2 for number in range(1, 6)}, abs=1e-3)
    remarks = metrics(folder)["remarks"]
    assert set(remarks) == {"tone-1", "tone-5"}
    assert "1.wav: 0.20 s of audio were read" in remarks["tone-1"][0] and "says 2500 s" in remarks["tone-1"][0]
    assert caplog.text.count("of audio were read") == 2
    cost = json.loads((folder / "cost.json").read_text())
    rate = cost["compute_s"] / 3.0
    assert 0.5 * rate < cost["rtf"] < 1.5 * rate, "the real-time factor is that of 3 s of audio"


def test_channels_that_cancel_out_are_kept_with_the_answers_and_told_again_by_a_finished_run(
    evaluate: Evaluate, tones: Path, caplog: pytest.LogCaptureFixture
) -> None:
    signal, _ = soundfile.read(tones.parent / "2.wav")
    soundfile.write(tones.parent / "2.wav", np.stack([signal, -signal], 1), 16_000)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            folder, _ = evaluate("task=asr", f"task.manifest={tones}")
        assert caplog.text.count("2.wav has channels of opposite phases") == 1
    assert list(metrics(folder)["remarks"]) == ["tone-2"]
    louder, _ = evaluate("task=asr", f"task.manifest={tones}", "task.audio.channel=louder")
    assert louder != folder and metrics(louder)["remarks"] == {}


def test_a_line_may_say_how_its_own_file_is_read(evaluate: Evaluate, tones: Path) -> None:
    samples, _ = soundfile.read(tones.parent / "5.wav", dtype="int16")
    (tones.parent / "5.wav").write_bytes(samples.astype(">i2").tobytes())
    edit(tones, tone_5={"audio_options": {"encoding": "s16", "rate": 16_000, "big_endian": True}})
    folder, _ = evaluate("task=asr", f"task.manifest={tones}")
    found = RunStore(folder).predictions()
    assert all(prediction.error is None for prediction in found.values())
    assert found["tone-5"].seconds == pytest.approx(1.0)


def test_wrong_options_are_all_listed_before_anything_runs(evaluate: Evaluate, tones: Path) -> None:
    edit(tones, tone_2={"audio_options": {"channel": "middle"}}, tone_4={"audio_options": ["left"]})
    with pytest.raises(ManifestError) as caught:
        evaluate("task=asr", f"task.manifest={tones}")
    message = str(caught.value)
    assert "2 problems" in message and "example tone-2: " in message and "example tone-4: " in message


def test_what_failed_for_want_of_a_library_is_read_once_it_is_there(
    evaluate: Evaluate, tones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library is acted: without it the file is refused, with it the "library" gives the sweep."""
    (tones.parent / "2.wav").write_bytes((FIXTURES / "aac.m4a").read_bytes())
    monkeypatch.setattr(ffmpeg, "find_spec", lambda _: None)
    folder, _ = evaluate("task=asr", f"task.manifest={tones}")
    assert "fastadasp[media]" in metrics(folder)["failures"]["tone-2"]

    def acted(*_: object) -> Decoding:
        return Decoding(16_000, 1, iter([sweep().astype(np.float32)[:, None]]))

    monkeypatch.setattr(ffmpeg, "find_spec", lambda _: object())
    monkeypatch.setattr(ffmpeg, "_READERS", {"av": acted})
    again, _ = evaluate("task=asr", f"task.manifest={tones}")
    assert again == folder and metrics(folder)["failures"] == {}
    found = RunStore(folder).predictions()
    assert len(found) == 5 and found["tone-2"].seconds == 1.0


def test_audio_replaced_by_a_file_of_equal_size_and_time_is_answered_anew(evaluate: Evaluate, tones: Path) -> None:
    before, _ = evaluate("task=asr", f"task.manifest={tones}")
    same, _ = evaluate("task=asr", f"task.manifest={tones}")
    audio = tones.parent / "3.wav"
    status, samples = audio.stat(), soundfile.read(audio)[0]
    soundfile.write(audio, samples[::-1], 16_000)
    os.utime(audio, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert audio.stat().st_size == status.st_size
    after, _ = evaluate("task=asr", f"task.manifest={tones}")
    assert before == same != after
