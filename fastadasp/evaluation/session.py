"""One process at work on a run: what it answers with, where, and beside which other processes."""

from dataclasses import dataclass, replace

from fastadasp.evaluation.hardware import Placement
from fastadasp.evaluation.ratio import settled
from fastadasp.evaluation.setup import Setup
from fastadasp.evaluation.store import RunStore
from fastadasp.evaluation.turns import Meeting
from fastadasp.models.base import ModelAdapter
from fastadasp.reduction.stages import Stages


@dataclass(frozen=True)
class Session:
    """One process at work on a run."""

    setup: Setup
    placement: Placement
    store: RunStore
    """The run's folder, with the file of this process in it."""
    meeting: Meeting
    """With the other processes of the run."""
    seed: int
    gpu: int = 0
    """Number of the GPU to use, where there are several."""
    origin: str = ""
    """What the answers of this process come from, as `RunStore.note_origin` names it."""

    @property
    def device(self) -> str:
        """torch's name of the device."""
        return f"cuda:{self.gpu}" if self.placement.accelerator == "cuda" else self.placement.accelerator

    def with_ratio(self, keep: bool) -> "Session":
        """Itself with the one ratio that meets `merge.flops_reduction`; with `keep`, the run's folder keeps it."""
        return replace(self, setup=settled(self.setup, self.setup.examples, self.store, keep=keep))


def at_depth(setup: Setup) -> Setup:
    """`setup` with a method that knows the model's depth. Raises ConfigError where the model has no such layer."""
    if not isinstance(setup.adapter, ModelAdapter):
        return setup
    return replace(setup, method=Stages.of(setup.method, setup.adapter.shape.layers).method)
