"""Running the cells of a grid in one process."""

import logging
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from omegaconf import DictConfig

from fastadasp.config.compose import compose_run
from fastadasp.config.fingerprint import contents
from fastadasp.config.messages import explain, is_expected
from fastadasp.errors import OutOfReachError
from fastadasp.evaluation.run import evaluate
from fastadasp.evaluation.setup import Setup, validate
from fastadasp.grid.spec import Cell
from fastadasp.models.base import ModelAdapter
from fastadasp.models.shared import SharedAdapter

log = logging.getLogger(__name__)

QUIET = ("logger=none", "hardware.num_workers=0", "+hardware.trainer.enable_progress_bar=false")
"""Settings of every cell; none of them changes a result."""


@dataclass(frozen=True)
class Outcome:
    """What became of a cell."""

    cell: Cell
    folder: Path
    problem: str | None
    """Why it did not run; None if it ran."""
    failed: bool = False
    """Whether it should have run: false also where the method cannot remove as much as the cell asks for."""


class Runner:
    """Runs cells as `run.py` would, but keeps weights, audio and encoder outputs from one to the next."""

    def __init__(self, share: bool = True) -> None:
        """share: false loads the model for each run, so that the times of a run are those of `run.py`."""
        self._share = share
        self._shared: SharedAdapter | None = None
        self._files: dict[str, str] = {}
        self._task = ""

    def run(self, cell: Cell, overrides: Sequence[str] = ()) -> Outcome:
        """Run one cell, or find it done; what ends it becomes the outcome's problem, so that the others still run."""
        folder = Path()  # of a cell whose settings do not compose
        try:
            cfg, folder = compose_run([*QUIET, *cell.settings, *overrides])
            self.evaluate(cfg, validate(cfg))
        except OutOfReachError as error:
            return Outcome(cell, folder, str(error))
        except Exception as error:
            return Outcome(cell, folder, f"failed: {problem(error, str(cell))}", failed=True)
        return Outcome(cell, folder, None)

    def evaluate(self, cfg: DictConfig, setup: Setup) -> None:
        """Run one composed configuration, or find it done, without a table; raises what ends it."""
        if self._share and isinstance(setup.adapter, ModelAdapter):
            files = contents({f"model.{key}": value for key, value in cfg.model.items()})
            setup = replace(setup, adapter=self._adapter(setup.adapter, files, str(cfg.task)))
        with redirect_stdout(StringIO()):  # a line for each run is printed instead
            evaluate(cfg, setup)

    def _adapter(self, wanted: ModelAdapter, files: dict[str, str], task: str) -> SharedAdapter:
        """The adapter in use, if it is the one wanted; what it knows of another task's audio goes.

        files: digests of the model's files. Where they have changed meanwhile, the folders of runs have new names, and
        the weights in memory must not fill them.
        """
        if self._shared is None or self._shared.inner != wanted or self._files != files:
            self._shared, self._files = SharedAdapter(wanted), files
        if task != self._task:
            self._shared.forget()
            self._task = task
        return self._shared


def problem(error: Exception, what: str) -> str:
    """Why a run ended, in one sentence; a fault of the program is also logged with its traceback."""
    if is_expected(error):
        return explain(error)
    log.error("%s ended by a fault of the program", what, exc_info=error)
    return f"{type(error).__name__}: {error}"


def run_all(cells: Sequence[Cell], overrides: Sequence[str], report: Callable[[int, Outcome], None]) -> list[Outcome]:
    """Run cells in order; `report` hears of each when it is done."""
    runner = Runner()
    outcomes = []
    for number, cell in enumerate(cells, start=1):
        outcomes.append(runner.run(cell, overrides))
        report(number, outcomes[-1])
    return outcomes
