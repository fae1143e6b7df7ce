"""The overlays for the paper's tables and figures: every point composes, and runs the same on the paper's models."""

from itertools import product

import pytest

from fastadasp.config.build import build
from fastadasp.config.paths import REPOSITORY
from tests.helpers.configs import composed

EXPERIMENTS = REPOSITORY / "experiments"
SWEPT = ("table1_asr", "table1_st", "table2_er", "table2_sqa", "full_tokens", "h2o", "layers", "weights")
MEASURED = ("table3", "table4")
METHODS = {"fastadasp", "random_merge", "random_evict", "a_tome", "fastv", "h2o", "none"}
"""Rows of tables 1 and 2."""


def points(overlay: str) -> dict[str, list[str]]:
    """By key, the values that an overlay sweeps."""
    params = composed(f"experiments=paper_{overlay}").hydra.sweeper.params
    return {key: str(values).split(",") for key, values in params.items()}


def test_there_is_an_overlay_for_each_table_and_figure() -> None:
    assert {file.stem for file in EXPERIMENTS.glob("paper_*.yaml")} == {f"paper_{name}" for name in SWEPT + MEASURED}
    rows = [(task, merge) for overlay in SWEPT[:6] for task, merge in _rows(overlay)]
    assert {merge for _, merge in rows} == METHODS
    assert set(rows) >= set(product(("asr", "st", "er", "sqa"), METHODS)), "tables 1 and 2 have all their rows"


def _rows(overlay: str) -> list[tuple[str, str]]:
    swept = points(overlay)
    tasks = swept.get("task", [overlay.rpartition("_")[2]])
    return list(product(tasks, swept["merge"]))


@pytest.mark.parametrize("overlay", SWEPT)
def test_an_overlay_asks_the_papers_models_for_the_same(overlay: str) -> None:
    last = [f"{key}={values[-1]}" for key, values in points(overlay).items()]
    tiny, *others = (
        composed(f"experiments=paper_{overlay}", *last, f"model={model}", "model.path=/weights")
        for model in ("tiny", "wavllm", "qwen_audio")
    )
    assert build(tiny.task, "task") and build(tiny.merge, "merge")
    assert all((other.task, other.merge) == (tiny.task, tiny.merge) for other in others)


@pytest.mark.parametrize(("overlay", "hardware"), zip(MEASURED, ("a100", "h100"), strict=True))
def test_tables_of_long_audio_measure_the_papers_cases(overlay: str, hardware: str) -> None:
    cfg = composed(f"experiments=paper_{overlay}")
    assert cfg.hydra.runtime.choices.hardware == hardware
    wanted = build(cfg.benchmark, "benchmark")
    assert set(wanted.shapes) == {"wavllm", "qwen_audio"}
    (sweep,) = wanted.sweeps.values()
    assert (list(sweep.seconds), list(sweep.beams), sweep.new_tokens, wanted.ratio) == ([120, 240], [1, 5], 75, 0.5)
