"""The table that ends a run shows names as they are."""

from typing import Any

import pytest

from fastadasp.evaluation.summary import show


def metrics(name: str) -> dict[str, Any]:
    asked = {"ratio": 0.0, "layer_ratio": None, "flops_reduction": None, "tokens_kept": None, "measured": 0.0}
    names = {"task": name, "model": name, "merge": name}
    return {**names, "quality": {name: 0.5}, "failed": 0, "examples": 1, "reduction": asked, "cost": {}}


@pytest.mark.parametrize("name", ["x[/red]y", "[bold]x", ":smile:", "a|b"])
def test_markup_in_names_and_folders_is_plain_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(metrics(name), {}, f"out/{name}")
    printed = capsys.readouterr().out
    assert f"Results: out/{name}" in printed
    assert printed.count(name) == 5
