"""From a composed config to the checked parts of a run, before torch or lightning is imported."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fastadasp.config.build import build_all
from fastadasp.config.chosen_layer import with_chosen_layer
from fastadasp.errors import ConfigError
from fastadasp.evaluation.logged import Logged
from fastadasp.tasks.asking import asked

if TYPE_CHECKING:
    from fastadasp.evaluation.hardware import Hardware
    from fastadasp.models.base import Generation, Model, ModelAdapter
    from fastadasp.reduction.method import MergeMethod
    from fastadasp.tasks.base import Example, Task


@dataclass(frozen=True)
class Setup:
    """The parts of one run, built and checked; no weights are loaded yet."""

    task: "Task"
    examples: "Sequence[Example]"
    """What the task asks: the clips of its manifest, under each of its prompts."""
    adapter: "Model"
    method: "MergeMethod"
    hardware: "Hardware"
    generation: "Generation"
    logged: Logged

    @property
    def local(self) -> "ModelAdapter":
        """The model, where this process runs it. Raises ConfigError for one behind a server."""
        from fastadasp.models.base import ModelAdapter

        if not isinstance(self.adapter, ModelAdapter):
            raise ConfigError(
                "this needs the inside of a model, which model=openai does not show: its server answers questions "
                "alone; choose a model that runs in this process, such as model=hf model.path=..."
            )
        return self.adapter


def validate(cfg: DictConfig) -> Setup:
    """Build every typed node of a run's config and read the task's manifest.

    Raises one ConfigError that lists all that is wrong with all nodes, or the manifest's own error.
    """
    nodes = {"task": "task", "adapter": "model", "method": "merge", "hardware": "hardware", "generation": "generation",
             "logged": "logged"}  # fmt: skip
    built = build_all(with_chosen_layer(cfg), nodes)
    built["task"].check_ready()
    return Setup(**built, examples=asked(built["task"]))
