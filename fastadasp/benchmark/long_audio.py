"""The long-audio benchmark: `benchmark._target_` of experiments/long_audio*.yaml."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastadasp.benchmark.cases import LongAudioCases

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from fastadasp.evaluation.hardware import Hardware


@dataclass(frozen=True)
class LongAudio(LongAudioCases):
    """Every contender answers the same prompts in the same process, round after round, so that ratios stay fair on a
    machine whose speed drifts.

    `quick`: each sweep at its shortest audio and smallest batch, one round, at most 8 new tokens; memory is not filled.
    """

    def run(self, cfg: "DictConfig", hardware: "Hardware") -> None:
        """Measure, print tables, and leave `results.json` in Hydra's output folder.

        A benchmark that was broken off goes on where it stopped.
        """
        from fastadasp.benchmark.measure import run

        sweeps = {name: sweep.quick() for name, sweep in self.sweeps.items()} if self.quick else self.sweeps
        run(cfg, replace(self, sweeps=sweeps), hardware)
