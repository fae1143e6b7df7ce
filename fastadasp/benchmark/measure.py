"""Run the long-audio benchmark: measure case by case, keep what is done, print the tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from transformers import PreTrainedModel

from fastadasp.benchmark import memory, report
from fastadasp.benchmark.capacity import capacity
from fastadasp.benchmark.contenders import Contender, Sample, answer, merge_seconds
from fastadasp.benchmark.figures import Limits, figures, layer_flops, prompt_tokens, with_ratios
from fastadasp.benchmark.long_audio import Case, LongAudio, Sweep
from fastadasp.benchmark.long_audio import Path as AnswerPath
from fastadasp.benchmark.meters import LayerClock, measured_limits
from fastadasp.benchmark.shapes import Prompt, build, prompt
from fastadasp.errors import ConfigError
from fastadasp.evaluation.hardware import Hardware, Placement, resolve
from fastadasp.evaluation.provenance import provenance
from fastadasp.merge.base import Schedule

BIG = 2e9
"""Parameters from which a benchmark on a CPU would take hours."""


def run(cfg: DictConfig, benchmark: LongAudio, hardware: Hardware) -> None:
    """Measure what the run's folder does not yet hold; `results.json` then has every figure, its samples included."""
    placement = resolve(hardware)
    _refuse_hours(benchmark, placement)
    if hardware.threads is not None:
        torch.set_num_threads(hardware.threads)
    folder = Path(HydraConfig.get().runtime.output_dir)
    limits = _limits(hardware, placement)
    done, console = _Done(folder / "cases.jsonl", hardware), Console()
    results: dict[str, Any] = {}
    for name, shape in benchmark.shapes.items():
        model = build(shape.decoder, device=placement.accelerator, dtype=placement.dtype, attention=placement.attention)
        bench = _Bench(benchmark, name, model, placement.dtype, limits, done)
        results[name] = {
            "sweeps": {sweep: bench.sweep(sweep) for sweep in benchmark.sweeps},
            "layers": bench.layers(),
            "capacity": bench.capacity(),
            "memory": memory.table(shape, bench.longest, benchmark.layer, benchmark.schedules),
        }
        report.show(console, name, results[name])
        del model, bench
        torch.cuda.empty_cache()
    facts = {
        "provenance": provenance(placement) | {"threads": torch.get_num_threads()},
        "limits": asdict(limits),
        "config": OmegaConf.to_container(cfg.benchmark, resolve=True),
    }
    (folder / "results.json").write_text(json.dumps(facts | {"shapes": results}, indent=1), encoding="utf-8")
    console.print(f"Results: {folder}", soft_wrap=True, highlight=False)


def _refuse_hours(benchmark: LongAudio, placement: Placement) -> None:
    for name, shape in benchmark.shapes.items():
        decoder = shape.decoder
        parameters = decoder.layers * (4 * decoder.hidden**2 + 3 * decoder.hidden * decoder.intermediate)
        if placement.accelerator == "cpu" and parameters > BIG:
            raise ConfigError(
                f"benchmark.shapes.{name} has {parameters / 1e9:.1f} billion parameters, which takes hours on a CPU; "
                "use experiments=long_audio_cpu, or a GPU"
            )


def _limits(hardware: Hardware, placement: Placement) -> Limits:
    if hardware.peak_flops is not None and hardware.bandwidth is not None:
        return Limits(hardware.peak_flops, hardware.bandwidth, "data sheet")
    flops, bandwidth = measured_limits(torch.device(placement.accelerator), getattr(torch, placement.dtype))
    return Limits(flops, bandwidth, "measured")


class _Done:
    """What was measured before a run was broken off: one JSON line each."""

    def __init__(self, file: Path, hardware: Hardware) -> None:
        """hardware: what was measured under other settings does not count."""
        self._file, self._hardware = file, asdict(hardware)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        self._known = {json.dumps(entry["key"]): entry["value"] for entry in map(json.loads, lines)}

    def get(self, key: Sequence[Any]) -> Any:
        """What was measured, None if nothing was."""
        return self._known.get(json.dumps([self._hardware, *key]))

    def add(self, key: Sequence[Any], value: Any) -> Any:
        """Keep `value` on disk; returns it."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": [self._hardware, *key], "value": value}) + "\n")
        return value


class _Bench:
    """All that is measured on one model."""

    def __init__(
        self, benchmark: LongAudio, name: str, model: PreTrainedModel, dtype: str, limits: Limits, done: _Done
    ) -> None:
        self.benchmark, self.name, self.model, self.dtype, self.limits = benchmark, name, model, dtype, limits
        self.shape, self.done = benchmark.shapes[name], done
        self.longest = max(max(sweep.seconds) for sweep in benchmark.sweeps.values())

    def sweep(self, name: str) -> list[dict[str, Any]]:
        """One entry a case: the case and its rows."""
        return [self._case(name, case) for case in self.benchmark.sweeps[name].cases(self.name)]

    def _case(self, name: str, case: Case) -> dict[str, Any]:
        key, sweep = [name, asdict(case)], self.benchmark.sweeps[name]
        if (known := self.done.get(key)) is not None:
            return dict(known)
        read = prompt(self.shape, case.seconds, case.batch_size, self.model)
        rows = with_ratios(list(self._rows(case, read, sweep)))
        return dict(self.done.add(key, {"case": asdict(case), "rows": rows}))

    def _rows(self, case: Case, read: Prompt, sweep: Sweep) -> Iterator[dict[str, Any]]:
        samples = _measure(self.model, read, case, self._contenders(sweep.paths), sweep.repeats)
        for contender, taken in samples.items():
            if not taken:
                yield {"path": contender.path.name, "tokens": contender.tokens, "error": "out of memory"}
                continue
            row = figures(case, contender, _medians(taken), self.shape, self.dtype, self.limits)
            yield row | {"samples": [asdict(sample) for sample in taken]}

    def _contenders(self, paths: Sequence[AnswerPath]) -> list[Contender]:
        schedules: list[Schedule | None] = [None, *self.benchmark.schedules]
        return [
            Contender(path, schedule, self.benchmark.ratio, self.benchmark.layer)
            for path in paths
            for schedule in schedules
        ]

    def layers(self) -> dict[str, Any]:
        """Tokens, FLOPs and seconds of each layer, seconds in the merge: for one row of the longest audio there is."""
        if (known := self.done.get(key := ["layers", self.name, self.longest])) is not None:
            return dict(known)
        read = prompt(self.shape, self.longest, 1, self.model)
        result: dict[str, Any] = {"seconds": self.longest}
        for contender in self._contenders([AnswerPath.static]):
            tokens = prompt_tokens(self.shape, contender, self.longest)
            with LayerClock(self.model.get_decoder().layers, self.model.device) as clock:
                for _ in range(3):
                    whole = answer(self.model, contender, read, 1, 1)
            merging = [merge_seconds(self.model, contender, read) for _ in range(3)] if contender.schedule else [0.0]
            result[contender.tokens] = {
                "tokens": tokens,
                "flops": layer_flops(self.shape, tokens),
                "seconds": clock.seconds,
                "prefill_s": whole.prefill_s,
                "merge_s": median(merging),
            }
        return dict(self.done.add(key, result))

    def capacity(self) -> dict[str, Any]:
        """Largest batch and longest audio, by contender and beams; on a GPU only, whose memory has an end."""
        if self.model.device.type != "cuda":
            return {}
        key = ["capacity", self.name, self.benchmark.memory_gib]
        if (known := self.done.get(key)) is not None:
            return dict(known)
        beams = max(max(sweep.beams) for sweep in self.benchmark.sweeps.values())
        result = {
            f"{contender.path.name}, {contender.tokens}": capacity(
                self.model,
                self.shape,
                contender,
                beams=beams,
                seconds=self.longest,
                memory_gib=self.benchmark.memory_gib,
            )
            for contender in self._contenders(list(AnswerPath))
        }
        return dict(self.done.add(key, {"seconds": self.longest, "beams": beams, "by": result}))


def _measure(
    model: PreTrainedModel, read: Prompt, case: Case, contenders: Sequence[Contender], repeats: int
) -> Mapping[Contender, list[Sample]]:
    """Samples of each contender, in rounds; none for one that runs out of memory. The first round only warms up."""
    samples: dict[Contender, list[Sample]] = {contender: [] for contender in contenders}
    for round_ in range(repeats + 1):
        for contender in list(samples):
            if round_ and not samples[contender]:
                continue
            try:
                samples[contender].append(answer(model, contender, read, case.beams, case.new_tokens))
            except torch.OutOfMemoryError:
                samples[contender].clear()
            torch.cuda.empty_cache()
    return {contender: taken[1:] for contender, taken in samples.items()}


def _medians(samples: Sequence[Sample]) -> Sample:
    columns = zip(*(asdict(sample).values() for sample in samples), strict=True)
    prefill_s, decode_s, steps, peak, energy = (median(column) for column in columns)
    return Sample(prefill_s, decode_s, int(steps), int(peak), energy)
