"""Are a server's answers those of this package's own runner?

`python -m experiments.serving.equality --out FILE` asks vLLM, with the plugin and a method (`--merge`, blend_input),
about the first clips of bundled sets at several ratios, and `fastadasp.ask` with the same method about the same
clips. Greedy answers in float32 are compared word for word. Ways of asking: `alone` (one request at a time),
`batched` (16 at once), `chunked` (16 at once, prompts read in chunks of 48 tokens, so that clips are cut) and
`cached` (everything asked twice with prefix caching on; the second answers count). Where answers differ, the gap
between the two most likely tokens at the first token that differs is noted: a small one is a tie that rounding
decided.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.serving.engine import MODEL, chat_prompt, examples_of, request, start

WAYS: dict[str, dict[str, Any]] = {
    "alone": {"max_num_seqs": 1, "enable_prefix_caching": False},
    "batched": {"max_num_seqs": 16, "enable_prefix_caching": False},
    "chunked": {"max_num_seqs": 16, "max_num_batched_tokens": 48, "enable_prefix_caching": False},
    "cached": {"max_num_seqs": 16, "enable_prefix_caching": True},
}
NEW_TOKENS = 128


def served(merge: str, way: str, tasks: Sequence[str], ratios: Sequence[float], clips: int) -> list[dict[str, Any]]:
    """The answers of vLLM, with the log-probabilities of the two best tokens at each step."""
    import soundfile
    from transformers import AutoProcessor
    from vllm import SamplingParams

    engine = start(mm_processor_kwargs={"merge": merge, "ratio": 0.5}, **WAYS[way])
    processor = AutoProcessor.from_pretrained(MODEL)
    sampling = SamplingParams(temperature=0, max_tokens=NEW_TOKENS, logprobs=2)
    rows = []
    for task in tasks:
        examples = examples_of(task, clips)
        prompts = [chat_prompt(processor, example.instruction) for example in examples]
        audio = [soundfile.read(str(example.audio[0]), dtype="float32") for example in examples]
        for ratio in ratios:
            asked = [request(prompt, [clip], ratio) for prompt, clip in zip(prompts, audio, strict=True)]
            for _ in range(2 if way == "cached" else 1):
                outputs = engine.generate(asked, sampling, use_tqdm=False)
            for example, output in zip(examples, outputs, strict=True):
                tokens = [
                    [max(step.values(), key=lambda one: one.logprob).decoded_token, gap_of(step)]
                    for step in output.outputs[0].logprobs
                ]
                rows.append(
                    {
                        "task": task,
                        "ratio": ratio,
                        "id": example.id,
                        "text": output.outputs[0].text.strip(),
                        "prompt_tokens": len(output.prompt_token_ids),
                        "cached_tokens": output.num_cached_tokens,
                        "tokens": tokens,
                    }
                )
    return rows


def gap_of(step: Any) -> float:
    """The difference between the two largest log-probabilities of a step."""
    best, second = sorted((one.logprob for one in step.values()), reverse=True)[:2]
    return round(best - second, 5)


def answered(
    merge: str, tasks: Sequence[str], ratios: Sequence[float], clips: int
) -> dict[tuple[str, float, str], str]:
    """The answers of this package's own runner."""
    import fastadasp
    from fastadasp.serving.settings import Served

    model = fastadasp.load(str(MODEL))
    texts = {}
    for task in tasks:
        examples = examples_of(task, clips)
        for ratio in ratios:
            answers = fastadasp.ask(
                model,
                [str(example.audio[0]) for example in examples],
                [example.instruction for example in examples],
                task=task,
                method=Served.of({"merge": merge, "ratio": ratio}).method,
                generation=fastadasp.Generation(max_new_tokens=NEW_TOKENS),
                batch_size=1,  # in a batch, rounding may turn a method's decision, as it does samp's
                progress=False,
            )
            texts |= {(task, ratio, one.id): said.text.strip() for one, said in zip(examples, answers, strict=True)}
    return texts


def first_gap(row: dict[str, Any], expected: str) -> float | None:
    """The gap at the first token after which the served text is no beginning of the expected one."""
    text = ""
    for token, gap in row["tokens"]:
        text += token
        if not expected.startswith(text.strip()):
            return float(gap)
    return float(row["tokens"][-1][1]) if row["tokens"] else None


def compared(way: str, rows: Sequence[dict[str, Any]], expected: dict[tuple[str, float, str], str]) -> dict[str, Any]:
    """How many answers are equal, by task and ratio, and what the others say."""
    cells: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["task"], row["ratio"]), []).append(row)
    differing = [
        {
            "task": row["task"],
            "ratio": row["ratio"],
            "id": row["id"],
            "served": row["text"],
            "runner": text,
            "log_probability_gap": first_gap(row, text),
        }
        for row in rows
        if row["text"] != (text := expected[row["task"], row["ratio"], row["id"]])
    ]
    equal = [
        {
            "task": task,
            "ratio": ratio,
            "clips": len(of_cell),
            "equal": sum(row["text"] == expected[task, ratio, row["id"]] for row in of_cell),
            "prompt_tokens": sum(row["prompt_tokens"] for row in of_cell),
            "cached_tokens": sum(row["cached_tokens"] or 0 for row in of_cell),
        }
        for (task, ratio), of_cell in cells.items()
    ]
    return {"way": way, "settings": WAYS[way], "cells": equal, "differing": differing}


def main() -> None:
    """Ask in each way in a process of its own, since a process holds one engine, then compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--merge", default="blend_input")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--tasks", nargs="+", default=["asr", "sqa"])
    parser.add_argument("--ratios", nargs="+", type=float, default=[0.0, 0.3, 0.5])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        rows = served(arguments.merge, arguments.only, arguments.tasks, arguments.ratios, arguments.clips)
        arguments.out.write_text(json.dumps(rows))
        return
    expected = answered(arguments.merge, arguments.tasks, arguments.ratios, arguments.clips)
    results = []
    for way in arguments.ways:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "rows.json")
            command = [sys.executable, "-m", "experiments.serving.equality", "--only", way, "--out", str(file)]
            for name in ("merge", "clips", "tasks", "ratios"):
                value = getattr(arguments, name)
                command += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
            subprocess.run(command, check=True)
            results.append(compared(way, json.loads(file.read_text()), expected))
        print(json.dumps(results[-1]["cells"]), flush=True)
        found = {"machine": machine(), "merge": arguments.merge, "ways": results}
        arguments.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def machine() -> dict[str, str]:
    """What ran."""
    import torch
    import transformers
    import vllm

    versions = {module.__name__: module.__version__ for module in (vllm, torch, transformers)}
    return {"processor": platform.processor() or platform.machine(), "python": platform.python_version(), **versions}


if __name__ == "__main__":
    main()
