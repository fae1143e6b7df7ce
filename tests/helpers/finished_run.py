"""Folders of finished runs with made-up answers, for tests of reports."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RIGHT = "sad"
EXAMPLES = 40


def write_run(
    root: Path,
    merge: str,
    right: int,
    saved: float = 0.0,
    ids: str = "e",
    more: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """The folder of a run of 40 examples, of which the first `right` are right.

    settings: of its `merge` node; config, more: further entries of its config and of its `metrics.json`.
    """
    lines = [
        {"id": f"{ids}{n}", "text": "", "answer": RIGHT if n < right else "", "reference": RIGHT}
        for n in range(EXAMPLES)
    ]
    quality = {"accuracy": right / EXAMPLES}
    task = {"_target_": "fastadasp.tasks.er.ER", "manifest": "er.jsonl"}
    return write_answers(root, merge, "er", task, quality, lines, saved, more, config, **settings)


def write_answers(
    root: Path,
    merge: str,
    name: str,
    task: Mapping[str, Any],
    quality: Mapping[str, float],
    lines: Sequence[Mapping[str, Any]],
    saved: float = 0.0,
    more: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """The folder of a run of any task with these predictions; the first score of `quality` is the objective."""
    folder = root / name / "runs" / str(len(list(root.rglob("metrics.json"))))
    folder.mkdir(parents=True)
    defaults = {"ratio": 0.0, "layer_ratio": None, "flops_reduction": None, "tokens_kept": None, "layer": 2}
    metrics = {
        **{"task": name, "model": "some", "merge": merge, "objective": next(iter(quality)), "failed": 0},
        "quality": quality,
        "reduction": {"ratio": 0.0, "measured": saved},
        "cost": {"flops_paper_saved": saved, "flops_prefill_saved": saved, "kv_bytes_saved": saved},
        "fingerprint": folder.name,
        "provenance": {"device": "none"},
        "config": {"task": task, "merge": {"_target_": merge, **defaults, **settings}, **(config or {})},
        **(more or {}),
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    full = [{**line, "audio_tokens_per_layer": [], "cached_tokens_per_layer": []} for line in lines]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in full))
    return folder
