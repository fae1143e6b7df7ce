"""All that the long-audio benchmark measures on one model; what a journal holds is not measured again."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from statistics import median
from typing import Any

import torch
from transformers import PreTrainedModel

from fastadasp.benchmark.capacity import capacity
from fastadasp.benchmark.cases import Case, LongAudioCases, Way
from fastadasp.benchmark.ceiling import Ceiling
from fastadasp.benchmark.column_sums import profile
from fastadasp.benchmark.contenders import Contender, Sample, answer, contenders
from fastadasp.benchmark.figures import layer_figures, medians, prompt_tokens
from fastadasp.benchmark.journal import Journal
from fastadasp.benchmark.rounds import rounds
from fastadasp.benchmark.shapes import Prompt, prompt
from fastadasp.measuring.clock import LayerClock
from fastadasp.measuring.memory_guard import none_if_out_of_memory
from fastadasp.measuring.meters import LEAST_S, joules, trim_heap


class Bench:
    """One model under every contender."""

    def __init__(
        self, benchmark: LongAudioCases, name: str, model: PreTrainedModel, ceiling: Ceiling, journal: Journal
    ) -> None:
        self.benchmark, self.name, self.shape = benchmark, name, benchmark.shapes[name]
        self.model, self.ceiling, self.journal = model, ceiling, journal
        self.longest = benchmark.longest

    def measured(self) -> dict[str, Any]:
        """Samples of each sweep's cases, figures of each layer, of the column sums alone, and what fits."""
        return {
            "sweeps": {
                name: [self.journal.once([name, asdict(case)], partial(self._case, name, case)) for case in sweep]
                for name, sweep in ((name, sweep.cases(self.name)) for name, sweep in self.benchmark.sweeps.items())
            },
            "layers": self.journal.once(["layers", self.name, self.longest], self._layers),
            "column_sums": self.journal.once(["column_sums", self.name, self.longest], self._column_sums),
            "capacity": self._capacity(),
        }

    def _case(self, name: str, case: Case) -> dict[str, Any]:
        """The case, and for each contender its samples: none where memory ran out."""
        sweep = self.benchmark.sweeps[name]
        rivals = contenders(self.benchmark, sweep.paths)
        torch.cuda.empty_cache()  # what other lengths have left in pieces; rounds() begins with untimed calls
        self.ceiling.remeasure()
        read = none_if_out_of_memory(lambda: prompt(self.shape, case.seconds, case.batch_size, self.model))
        taken: Sequence[Sequence[Sample]] = [[] for _ in rivals]
        if read is not None:
            taken = self._samples(read, case, rivals, sweep.repeats)
        return {"case": asdict(case), "samples": [[asdict(sample) for sample in samples] for samples in taken]}

    def _samples(self, read: Prompt, case: Case, rivals: Sequence[Contender], repeats: int) -> list[list[Sample]]:
        on_cpu = self.model.device.type == "cpu"
        peaks: dict[Contender, int | None] = {}

        def work(contender: Contender, warming_up: bool) -> Sample:
            if on_cpu and warming_up:
                trim_heap()
            sample = answer(self.model, contender, read, case.beams, case.new_tokens)
            if on_cpu:  # later rounds reuse what malloc holds, which the process' size does not show
                sample = replace(sample, peak_bytes=peaks.setdefault(contender, sample.peak_bytes))
            return sample

        taken = rounds(work, rivals, repeats, self.ceiling.remeasure if on_cpu else lambda: None)
        return [self._with_energy(read, case, *pair) for pair in zip(rivals, taken, strict=True)]

    def _with_energy(self, read: Prompt, case: Case, contender: Contender, taken: list[Sample]) -> list[Sample]:
        """The samples; with the energy of many calls where one is too short for NVML's counter."""
        if not taken or taken[0].energy_j is None or taken[0].prefill_s + taken[0].decode_s >= LEAST_S:
            return taken
        used_j = joules(lambda: answer(self.model, contender, read, case.beams, case.new_tokens), self.model.device)
        return [replace(sample, energy_j=used_j) for sample in taken]

    def _layers(self) -> dict[str, Any]:
        """Tokens, FLOPs, cache and seconds of each layer's prefill, for one row of the longest audio there is."""
        rivals = contenders(self.benchmark, [Way.static])

        def work(contender: Contender, _: bool) -> tuple[Sample, list[float], list[float]]:
            read = prompt(self.shape, self.longest, 1, self.model)
            with LayerClock(self.model.get_decoder().layers, self.model.device) as clock:
                sample = answer(self.model, contender, read, 1, 1)
            return sample, clock.seconds, clock.merge_seconds

        result: dict[str, Any] = {"seconds": self.longest}
        for contender, taken in zip(rivals, rounds(work, rivals, 3), strict=True):
            tokens = prompt_tokens(self.shape, contender, self.longest)
            if not taken:
                result[contender.tokens] = {"tokens": tokens, "error": "out of memory"}
                continue
            whole = medians([sample for sample, _, _ in taken])
            seconds, merge_seconds = (
                [median(layer) for layer in zip(*(times[which] for _, *times in taken), strict=True)]
                for which in range(2)
            )
            result[contender.tokens] = {
                "tokens": tokens,
                **layer_figures(self.shape, tokens, str(self.model.dtype).removeprefix("torch.")),
                "seconds": seconds,
                "merge_seconds": merge_seconds,
                "prefill_s": whole.prefill_s,
                "merge_s": whole.merge_s,
            }
        return result

    def _column_sums(self) -> dict[str, Any]:
        """Of one layer, at the longest audio there is."""
        model = self.model
        found = none_if_out_of_memory(lambda: profile(self.shape, self.longest, model.device, model.dtype))
        return found or {"seconds": self.longest, "error": "out of memory"}

    def _capacity(self) -> dict[str, Any]:
        """Largest batch and longest audio, by beams and contender; on a GPU only, whose memory has an end."""
        if self.model.device.type != "cuda" or self.benchmark.quick:
            return {}
        gib = self.benchmark.memory_gib
        most = max(max(sweep.beams) for sweep in self.benchmark.sweeps.values())
        by_beams: dict[str, dict[str, Any]] = {}
        for beams in sorted({1, most}):
            by_beams[str(beams)] = {}
            for contender in contenders(self.benchmark, list(Way)):
                label = f"{contender.path.name}, {contender.tokens}"
                search = partial(
                    capacity, self.model, self.shape, contender, beams=beams, seconds=self.longest, memory_gib=gib
                )
                key = ["capacity", self.name, gib, self.longest, beams, label]
                by_beams[str(beams)][label] = self.journal.once(key, search)
        return {"seconds": self.longest, "by_beams": by_beams}
