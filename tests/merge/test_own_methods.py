"""A method of one's own: one class and one YAML, wherever they are, and nothing else is edited."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import Tensor

from fastadasp import MergeMethod
from fastadasp.errors import ConfigError
from fastadasp.ops.assignment import Assignment
from fastadasp.reduction.cache_method import CacheMethod
from fastadasp.reduction.input_method import InputMethod
from fastadasp.reduction.state import InputState, LayerState


@dataclass(frozen=True)
class KeepValues(CacheMethod):
    """A user's own method: keeps large values."""

    power: float = 2.0

    def score(self, state: LayerState) -> Tensor:
        return state.values_BGTd.float().norm(p=self.power, dim=-1)


@dataclass(frozen=True)
class KeepLarge(MergeMethod):
    """A user's own method inside the decoder: keeps large hidden states."""

    power: float = 2.0

    def assign(self, state: LayerState) -> Assignment:
        return state.keep_top(state.hidden_BTD.float().norm(p=self.power, dim=-1))


@dataclass(frozen=True)
class KeepLoud(InputMethod):
    """A user's own method before the decoder: keeps large features."""

    power: float = 2.0

    def assign(self, state: InputState) -> Assignment:
        return state.keep_top(state.hidden_BTD.float().norm(p=self.power, dim=-1))


@pytest.mark.parametrize(
    ("kind", "settings"), [(KeepLarge, ""), (KeepLoud, ""), (KeepValues, "schedule: constant\nprotect_text: true\n")]
)
def test_a_method_takes_one_class_and_one_yaml(
    kind: type[MergeMethod], settings: str, tmp_path: Path, evaluate: Callable[..., tuple[Path, float]], tones: Path
) -> None:
    (tmp_path / "merge").mkdir()
    (tmp_path / "merge" / "mine.yaml").write_text(f"_target_: {__name__}.{kind.__name__}\n{settings}power: 2.0\n")
    overrides = (f"task.manifest={tones}", f"hydra.searchpath=[file://{tmp_path}]", "merge=mine")
    folder, _ = evaluate("task=asr", *overrides, "merge.ratio=0.5", "merge.power=1", "merge.layer=0")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["merge"] == "mine"
    assert metrics["config"]["merge"]["power"] == 1.0
    assert metrics["reduction"]["measured"] == pytest.approx(0.5, abs=0.05)
    assert (metrics["cost"]["flops_prefill_saved"] == 0) == (kind is KeepValues)
    with pytest.raises(ConfigError, match=r"merge\.powr does not exist; did you mean power"):
        evaluate("task=asr", *overrides, "+merge.powr=1")
