"""Runs as pandas frames: `from fastadasp import runs; frame = runs.load("outputs")`."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastadasp.report.blocks import blocks
from fastadasp.report.gather import Gathered
from fastadasp.report.pictures.charts import Bars, Chart, HeatMap
from fastadasp.report.pictures.merge_map import merge_map
from fastadasp.report.pictures.printed import drawn
from fastadasp.report.pictures.quality import quality_against_cost
from fastadasp.report.runs import Run, find_runs, names
from fastadasp.report.tables import Table
from fastadasp.report.tabulate import tabulate
from fastadasp.report.write import write

if TYPE_CHECKING:
    import pandas

__all__ = ["Bars", "Chart", "HeatMap", "Runs", "drawn", "load", "merge_map"]


@dataclass(frozen=True)
class Runs:
    """Finished runs, as frames and as pictures."""

    found: list[Run]

    @cached_property
    def runs(self) -> "pandas.DataFrame":
        """One line for each run: task, model, merge, its settings (`merge.ratio`), quality, reduction, cost, times."""
        import pandas

        return pandas.DataFrame([_line(run) for run in self.found])

    @cached_property
    def layers(self) -> "pandas.DataFrame":
        """One line for each decoder layer of each run: tokens that enter it, FLOPs, bytes of cache."""
        import pandas

        return pandas.DataFrame(
            {"fingerprint": run.metrics["fingerprint"], "merge": run.metrics["merge"], "layer": number, **layer}
            for run in self.found
            for number, layer in enumerate(run.metrics.get("layers") or [])
        )

    @cached_property
    def predictions(self) -> "pandas.DataFrame":
        """One line for each example of each run: answer, reference, token counts."""
        import pandas

        fields = ("id", "text", "answer", "reference", "error", "audio_tokens", "text_tokens", "new_tokens", "seconds")
        return pandas.DataFrame(
            {
                **{"fingerprint": run.metrics["fingerprint"], "task": run.metrics["task"]},
                "merge": run.metrics["merge"],
                **{name: getattr(prediction, name) for name in fields},
            }
            for run in self.found
            for prediction in run.predictions
        )

    @cached_property
    def tables(self) -> list[Table]:
        """Methods against amounts, as `fastadasp report` has them."""
        return tabulate(self.found, names(self.found))

    def quality(self) -> list[Chart]:
        """Scores against what is saved, one picture for each task and resource; `drawn(chart)` gives a Figure."""
        return [quality_against_cost(block) for table in self.tables for block in blocks(table)]

    def report(self, folder: str | Path, title: str = "") -> None:
        """Write what `fastadasp report` writes."""
        write(Gathered(self.tables, self.found), Path(folder), title)


def load(*roots: str | Path, trusted: Collection[str] = ()) -> Runs:
    """All finished runs in and under the folders; InputError if there are none.

    trusted: modules besides `fastadasp.tasks` whose tasks may be built.
    """
    return Runs(find_runs([Path(root) for root in roots or ("outputs",)], trusted))


def _line(run: Run) -> dict[str, Any]:
    metrics = run.metrics
    head = {
        key: metrics.get(key) for key in ("task", "model", "merge", "fingerprint", "objective", "examples", "failed")
    }
    line = {**head, "score": metrics["quality"][metrics["objective"]], "folder": str(run.folder)}
    parts: Iterable[tuple[str, Mapping[str, Any]]] = (
        *(("merge.", run.settings), ("quality.", metrics["quality"]), ("reduction.", metrics["reduction"])),
        *(("cost.", metrics["cost"]), ("measured.", run.measured)),
    )
    return line | {
        f"{prefix}{key}": value
        for prefix, part in parts
        for key, value in part.items()
        if not isinstance(value, Mapping | list)
    }
