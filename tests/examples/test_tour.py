"""The notebook `examples/tour.ipynb`, cell by cell."""

import json
from pathlib import Path

import pytest

from fastadasp.config.paths import REPOSITORY


@pytest.mark.slow
def test_the_tour_runs_from_its_first_cell_to_its_last(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cells = json.loads((REPOSITORY / "examples" / "tour.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile(cell["source"], cell["id"], "exec"), names)
    assert "reference: nora thinks" in capsys.readouterr().out
    loaded = names["loaded"]
    assert sorted(loaded.runs["merge.ratio"]) == [0.0, 0.2, 0.5]  # type: ignore[attr-defined]
    assert len(loaded.predictions) == 12  # type: ignore[attr-defined]
    tokens = loaded.layers.groupby("fingerprint")["tokens"].last()  # type: ignore[attr-defined]
    assert tokens.min() < 0.7 * tokens.max(), "half of the audio tokens are gone in the last layer"
