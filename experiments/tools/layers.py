"""Does the layer that transfer entropy chooses beat others on clips that it has not seen?

`python -m experiments.tools.layers --out experiments/results/tiny_layers`. Each task's bundled clips are cut in two
halves. Each half calibrates every criterion of `fastadasp.selection`; the other half is answered with reduction at
every layer, all at equal FLOPs. So every clip is scored once, by a choice that has not seen it. Every answer comes from
an ordinary run: broken off, the same command goes on.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from omegaconf import DictConfig

from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import InputError
from fastadasp.grid.runner import Runner
from fastadasp.grid.spec import Cell
from fastadasp.report.runs import Run
from fastadasp.selection.select import select
from fastadasp.selection.settings import Criterion
from fastadasp.statistics.intervals import Interval
from fastadasp.tasks.counted import Counted

HALVES = ("even", "odd")
Answered = dict[str, dict[int, Run]]
"""By half of the clips and layer."""


def halves(task: str, folder: Path) -> dict[str, Path]:
    """Two manifests that hold every second line of the bundled one each, audio named from where it is."""
    source = REPOSITORY / "fastadasp" / "assets" / "benchmark" / task / "manifest.jsonl"
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["audio"] = str(source.parent / line["audio"])
    files = {half: folder / f"{task}-{half}.jsonl" for half in HALVES}
    folder.mkdir(parents=True, exist_ok=True)
    for start, file in enumerate(files.values()):
        file.write_text("".join(json.dumps(line) + "\n" for line in lines[start::2]), encoding="utf-8")
    return files


def answered(runner: Runner, settings: Sequence[str], task: str, manifests: Mapping[str, Path]) -> Answered:
    """Runs of both halves with reduction at each layer that can save enough."""
    found: Answered = {half: {} for half in HALVES}
    for half, manifest in manifests.items():
        for layer in range(_layers(settings)):
            cell = Cell(task, half, layer, (*settings, f"task.manifest={manifest}", f"merge.layer={layer}"))
            outcome = runner.run(cell)
            if outcome.problem is None:
                found[half][layer] = Run.read(outcome.folder)
                print(f"{task}, {half} clips, layer {layer}: {found[half][layer].headline}", flush=True)
    return found


def chosen(settings: Sequence[str], manifests: Mapping[str, Path], criterion: Criterion) -> dict[str, int]:
    """By half to be scored, the layer that the other half chooses."""
    layers = {}
    for half in HALVES:
        other = next(name for name in HALVES if name != half)
        overrides = [f"task.manifest={manifests[half]}", f"selection.manifest={manifests[other]}"]
        cfg: DictConfig = compose(*settings, *overrides, f"selection.criterion={criterion.name}")
        layers[half] = select(cfg)
    return layers


def compare(found: Answered, choices: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Scores of every layer that both halves could run, and of every choice, against the median layer."""
    layers = sorted(set.intersection(*(set(runs) for runs in found.values())))
    task = next(iter(found["even"].values())).task

    def predictions(layer_of: Mapping[str, int]) -> list[Any]:
        return [one for half in HALVES for one in found[half][layer_of[half]].predictions]

    def scored(layer_of: Mapping[str, int]) -> Interval:
        return Counted.of(task, predictions(layer_of)).estimate(task.measured(), resamples=2000).interval()

    by_layer = {layer: scored(dict.fromkeys(HALVES, layer)) for layer in layers}
    sign = 1 if task.higher_is_better else -1
    middle = median(score.value for score in by_layer.values())
    result: dict[str, Any] = {
        "objective": task.objective,
        "layers": {layer: vars(score) for layer, score in by_layer.items()},
        "median_layer": middle,
        "choices": {},
    }
    for criterion, layer_of in choices.items():
        score = scored(layer_of)
        ahead = [sign * (other.value - score.value) for other in by_layer.values()]
        result["choices"][criterion] = {
            "layers": dict(layer_of),
            "score": vars(score),
            "beats_median": sign * (score.value - middle) > 0,
            "layers_that_are_better": sum(gain > 0 for gain in ahead),
        }
    return result


def _layers(settings: Sequence[str]) -> int:
    return int(build(compose(*settings).model, "model").shape.layers)


def main() -> None:
    """Run all tasks and write `layers.json` and `layers.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="Hydra overrides for all runs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=["er", "sqa", "asr", "st"])
    parser.add_argument("--flops-reduction", type=float, default=0.3)
    given = parser.parse_intermixed_args()
    runner, results = Runner(), {}
    for task in given.tasks:
        settings = ["model=tiny", "hardware=cpu", "hardware.batch_size=32", "merge=fastadasp", f"task={task}"]
        settings += ["merge.schedule=once", f"merge.flops_reduction={given.flops_reduction}", *given.overrides]
        manifests = halves(task, Path("outputs") / "layers")
        found = answered(runner, settings, task, manifests)
        if not all(found.values()):
            raise InputError(f"no layer saves {given.flops_reduction:.0%} of the FLOPs on {task}; ask for less")
        choices = {one.name: chosen(settings, manifests, one) for one in Criterion}
        results[task] = compare(found, choices)
    given.out.mkdir(parents=True, exist_ok=True)
    content = {"flops_reduction": given.flops_reduction, "tasks": results}
    (given.out / "layers.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (given.out / "layers.md").write_text(table(results, given.flops_reduction), encoding="utf-8")
    print(table(results, given.flops_reduction))


def table(results: Mapping[str, Any], saved: float) -> str:
    """Markdown: each task's layers, and what each criterion has chosen for either half."""
    lines = [
        "# Layers to reduce at",
        "",
        f"FastAdaSP once, {saved:.0%} of the prefill's FLOPs saved from every layer; all 64 clips of a task. A choice",
        "is made on one half of the clips and scored on the other; `beaten by` counts the layers that score better.",
        "",
    ]
    for task, result in results.items():
        numbers = [f"{layer}: {value['value']:.3f}" for layer, value in result["layers"].items()]
        lines += [f"## {task}, {result['objective']}", "", f"By layer: {', '.join(numbers)}.", ""]
        lines += [f"Median layer: {result['median_layer']:.3f}.", ""]
        lines += ["| criterion | layers (even, odd clips) | score | beats the median layer | beaten by |"]
        lines += ["|---|---|---|---|---|"]
        for criterion, choice in result["choices"].items():
            score, layers = choice["score"], ", ".join(str(choice["layers"][half]) for half in HALVES)
            interval = f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
            beats = "yes" if choice["beats_median"] else "no"
            lines.append(f"| {criterion} | {layers} | {interval} | {beats} | {choice['layers_that_are_better']} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
