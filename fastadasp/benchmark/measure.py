"""Run the long-audio benchmark: measure case by case, keep what is done, print the tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from fastadasp.benchmark import memory, report
from fastadasp.benchmark.bench import Bench
from fastadasp.benchmark.cases import Case, LongAudioCases
from fastadasp.benchmark.ceiling import Ceiling, Limits
from fastadasp.benchmark.contenders import Sample, contenders
from fastadasp.benchmark.figures import figures, medians, with_ratios
from fastadasp.benchmark.journal import Journal
from fastadasp.benchmark.shapes import build
from fastadasp.errors import ConfigError, InputError
from fastadasp.evaluation.hardware import Hardware, Placement, resolve, use_threads
from fastadasp.evaluation.store import RunStore
from fastadasp.measuring.memory_guard import none_if_out_of_memory
from fastadasp.measuring.provenance import provenance

BIG = 2e9
"""Parameters from which a benchmark on a CPU would take hours."""


def run(cfg: DictConfig, benchmark: LongAudioCases, hardware: Hardware) -> None:
    """Measure what the run's folder does not yet hold; `results.json` then has every figure, its samples included."""
    placement = resolve(hardware)
    _refuse_hours(benchmark, placement)
    use_threads(placement)
    folder = Path(HydraConfig.get().runtime.output_dir)
    facts = {
        "provenance": provenance(placement) | {"threads": torch.get_num_threads()},
        "config": OmegaConf.to_container(cfg.benchmark, resolve=True, enum_to_str=True),
    }
    console = Console(markup=False, emoji=False)
    with RunStore(folder).locked():
        journal = Journal(folder / "cases.jsonl", hardware)
        ceiling = Ceiling(hardware, placement, journal)
        measured: dict[str, Any] = {}
        for name in benchmark.shapes:
            measured[name] = _measure(benchmark, name, placement, ceiling, journal)
            report.show(console, name, _tables(benchmark, name, placement.dtype, ceiling.limits, measured[name]))
        shapes = {name: _tables(benchmark, name, placement.dtype, ceiling.limits, measured[name]) for name in measured}
        results = facts | {"limits": asdict(ceiling.limits), "shapes": shapes}
        (folder / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    console.print(f"Results: {folder}", soft_wrap=True, highlight=False)


def _refuse_hours(benchmark: LongAudioCases, placement: Placement) -> None:
    for name, shape in benchmark.shapes.items():
        parameters = shape.layers * (4 * shape.hidden**2 + 3 * shape.hidden * shape.intermediate)
        if placement.accelerator == "cpu" and parameters > BIG:
            raise ConfigError(
                f"benchmark.shapes.{name} has {parameters / 1e9:.1f} billion parameters, which takes hours on a CPU; "
                "use experiments=long_audio_cpu, or a GPU"
            )


def _measure(
    benchmark: LongAudioCases, name: str, placement: Placement, ceiling: Ceiling, journal: Journal
) -> dict[str, Any]:
    """What there is to know of one shape, whose model is gone afterwards."""
    shape = benchmark.shapes[name]
    model = none_if_out_of_memory(
        lambda: build(shape, device=placement.accelerator, dtype=placement.dtype, attention=placement.attention)
    )
    if model is None:
        raise InputError(
            f"the weights of benchmark.shapes.{name} do not fit into memory; remove it or use a larger GPU"
        )
    found = Bench(benchmark, name, model, ceiling, journal).measured()
    del model
    torch.cuda.empty_cache()
    return found


def _tables(
    benchmark: LongAudioCases, name: str, dtype: str, limits: Limits, measured: Mapping[str, Any]
) -> dict[str, Any]:
    """From what was measured of one shape to the columns of its tables."""
    shape = benchmark.shapes[name]

    def rows(sweep: str, entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        rivals = contenders(benchmark, benchmark.sweeps[sweep].paths)
        for contender, taken in zip(rivals, entry["samples"], strict=True):
            if not taken:
                yield {"path": contender.path.name, "tokens": contender.tokens, "error": "out of memory"}
                continue
            sample = medians([Sample(**columns) for columns in taken])
            row = figures(Case(**entry["case"]), contender, sample, shape, dtype, limits)
            yield row | {"samples": taken}

    def cases(sweep: str, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{"case": entry["case"], "rows": with_ratios(list(rows(sweep, entry)))} for entry in entries]

    return {
        **measured,
        "sweeps": {sweep: cases(sweep, entries) for sweep, entries in measured["sweeps"].items()},
        "memory": memory.table(shape, benchmark.longest, benchmark.layer, benchmark.schedules),
    }
