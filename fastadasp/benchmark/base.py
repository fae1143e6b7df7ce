"""What a benchmark is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from fastadasp.evaluation.hardware import Hardware


@dataclass(frozen=True)
class Benchmark(ABC):
    """Something to time; its dataclass fields are the schema of the `benchmark` node in experiments/*.yaml."""

    quick: bool = field(default=False, kw_only=True)
    """The smallest size that still shows everything once: minutes instead of hours."""

    @abstractmethod
    def run(self, cfg: "DictConfig", hardware: "Hardware") -> None:
        """Measure, print tables, and leave `results.json` in Hydra's output folder."""
