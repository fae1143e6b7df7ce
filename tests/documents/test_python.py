"""docs/python.md: its code runs as it stands."""

import json
import re
from pathlib import Path

import pytest
import soundfile

from fastadasp.config.paths import PACKAGE, REPOSITORY

CLIPS = PACKAGE / "assets" / "benchmark" / "asr"


def test_the_code_of_the_page_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = sorted(
        map(json.loads, (CLIPS / "manifest.jsonl").read_text().splitlines()), key=lambda line: line["seconds"]
    )
    for name, line in zip(("meeting.wav", "call.flac"), lines, strict=False):
        soundfile.write(tmp_path / name, *soundfile.read(CLIPS / line["audio"]))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "python.md").read_text(), re.DOTALL)
    assert len(blocks) >= 6
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 6
    assert printed[4] == "lost.wav: no such file"
    assert len(names["answers"]) == 3
    assert names["trace"].audio_tokens.shape[1] == 2
