"""Collects scores of runs, draws docs/figures/training.svg: `python -m experiments.training.under_merging.figure RUNS`.

RUNS is the folder with the runs of `run.py task=asr`; those of other models are left out.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from fastadasp.config.paths import REPOSITORY

RESULTS = REPOSITORY / "experiments" / "results" / "training_under_merging"
FIGURE = REPOSITORY / "docs" / "figures" / "training.svg"
MODELS = {
    "tiny": ("as shipped", "#999999"),
    "control": ("trained without a reduction", "#56B4E9"),
    "fastadasp": ("trained under merging at 50 %", "#0072B2"),
}
"""By the folder of a model's weights: what it is called, and its colour."""
SAVED = (0.0, 0.3, 0.5)


def scores(runs: Path) -> list[dict[str, Any]]:
    """One entry for each run of the models."""
    found = []
    for file in sorted(runs.rglob("metrics.json")):
        told = json.loads(file.read_text(encoding="utf-8"))
        path = Path(told["config"]["model"]["path"])
        model = path.parent.name if path.name == "model" else path.name
        if model in MODELS:
            found.append(
                {
                    "model": model,
                    "flops_reduction": told["reduction"]["flops_reduction"] or 0.0,
                    "wer": round(100 * told["quality"]["wer"], 2),
                    **{name: told["quality"][name] for name in ("substitutions", "deletions", "insertions", "words")},
                }
            )
    return sorted(found, key=lambda entry: (list(MODELS).index(entry["model"]), entry["flops_reduction"]))


def draw(found: list[dict[str, Any]]) -> None:
    """A group of bars for each share of FLOPs saved."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "fastadasp"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.2))
    for place, (model, (label, colour)) in enumerate(MODELS.items()):
        mine = {entry["flops_reduction"]: entry["wer"] for entry in found if entry["model"] == model}
        at = [index + 0.27 * (place - 1) for index, saved in enumerate(SAVED) if saved in mine]
        bars = axes.bar(at, [mine[saved] for saved in SAVED if saved in mine], 0.25, label=label, color=colour)
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks(range(len(SAVED)), [f"{100 * saved:.0f} %" if saved else "all tokens" for saved in SAVED])
    axes.set_xlabel("FLOPs of the prefill saved by FastAdaSP")
    axes.set_ylabel("word error rate, %")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Write the scores and the figure."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", type=Path)
    found = scores(parser.parse_args().runs)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "scores.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw(found)
    for entry in found:
        print(entry)


if __name__ == "__main__":
    main()
