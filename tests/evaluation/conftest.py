"""Settings of small runs."""

from pathlib import Path

import pytest


@pytest.fixture
def asr(tones: Path) -> tuple[str, ...]:
    return ("task=asr", f"task.manifest={tones}", "merge.ratio=0.5", "merge.layer=1", "hardware.batch_size=2")
