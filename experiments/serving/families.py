"""Does reduction work in each family that the plugin names? On tiny random checkpoints of the shipped classes.

`python -m experiments.serving.families --out FILE` builds each family's checkpoint, serves it with merge=blend_input,
and asks about two clips at ratios 0 and 0.5. Noted are the tokens of the prompts, how many greedy answers are those of
`fastadasp.ask` with the same method on the same checkpoint, and how many at ratio 0 are those of vLLM without the
plugin's settings; or the message with which the server refuses.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.serving.engine import chat_prompt, examples_of, request, start
from experiments.serving.equality import machine

NAMES = ("audioflamingo3", "glmasr", "granite_speech", "qwen3_asr")
RATIOS = (0.0, 0.5)
CLIPS = 2
NEW_TOKENS = 12


def build(name: str, folder: Path) -> None:
    """A checkpoint whose heads are wide enough for vLLM's kernels, which need 32 channels."""
    from tests.helpers import family_parts

    for settings in (family_parts.DECODER, family_parts.EIGHT_CHANNELS):
        settings |= {"hidden_size": 128, "intermediate_size": 96}
    family_parts.EIGHT_CHANNELS["head_dim"] = 32
    from tests.helpers import speech_families  # after the widths, which its encoders take

    speech_families.FAMILIES[name].save(folder)
    rename_weights(folder / "model.safetensors")


def rename_weights(file: Path) -> None:
    """Names as on the hub: transformers 5.19 writes `language_model.model.model.` for some families."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(file)
    doubled = "language_model.model.model."
    save_file({key.replace(doubled, "language_model.model."): tensor for key, tensor in tensors.items()}, file)


def served(folder: Path, ratios: Sequence[float | None] = RATIOS) -> list[dict[str, Any]]:
    """What a server answers at each ratio; None: without the plugin's settings."""
    import soundfile
    from transformers import AutoProcessor
    from vllm import SamplingParams

    own = {} if None in ratios else {"mm_processor_kwargs": {"merge": "blend_input", "ratio": 0.5}}
    engine = start(folder, max_model_len=1024, **own)
    processor = AutoProcessor.from_pretrained(folder)
    sampling = SamplingParams(temperature=0, max_tokens=NEW_TOKENS, logprobs=2)
    rows = []
    for ratio in ratios:
        for example in examples_of("asr", CLIPS):
            clip = soundfile.read(str(example.audio[0]), dtype="float32")
            prompt = chat_prompt(processor, example.instruction)
            (output,) = engine.generate([request(prompt, [clip], ratio)], sampling, use_tqdm=False)
            answer = output.outputs[0]
            rows.append(
                {
                    "ratio": ratio,
                    "id": example.id,
                    "prompt_tokens": len(output.prompt_token_ids),
                    "text": answer.text,
                    "ids": list(answer.token_ids),
                }
            )
    return rows


def folder_is_a_recogniser(folder: Path) -> bool:
    """Whether the chat template leaves out what the user writes."""
    from transformers import AutoProcessor

    return "words" not in chat_prompt(AutoProcessor.from_pretrained(folder), "words")


def answered(folder: Path) -> list[dict[str, Any]]:
    """What this package's own runner answers."""
    import fastadasp

    model = fastadasp.load(str(folder))
    rows = []
    for ratio in RATIOS:
        for example in examples_of("asr", CLIPS):
            (answer,) = fastadasp.ask(
                model,
                [str(example.audio[0])],
                "" if folder_is_a_recogniser(folder) else example.instruction,
                method=fastadasp.BlendInput(ratio=ratio, proportional=False),
                generation=fastadasp.Generation(max_new_tokens=NEW_TOKENS),
                progress=False,
            )
            rows.append({"ratio": ratio, "id": example.id, "text": answer.text, "audio_tokens": answer.audio_tokens})
    return rows


def main() -> None:
    """Try each family in processes of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--names", nargs="+", default=list(NAMES))
    parser.add_argument("--step", choices=["build", "plain", "served", "answered"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step == "build":
        build(arguments.names[0], arguments.folder)
    elif arguments.step:
        steps = {"plain": partial(served, ratios=(None,)), "served": served, "answered": answered}
        rows = steps[arguments.step](arguments.folder)
        arguments.out.write_text(json.dumps(rows))
    else:
        found = [tried(name) for name in arguments.names]
        arguments.out.write_text(json.dumps({"machine": machine(), "families": found}, indent=1) + "\n")


def tried(name: str) -> dict[str, Any]:
    """What came out for one family."""
    with tempfile.TemporaryDirectory() as place:
        folder, file = Path(place, "model"), Path(place, "rows.json")
        results: dict[str, Sequence[dict[str, Any]]] = {}
        for step in ("build", "plain", "served", "answered"):
            command = [sys.executable, "-m", "experiments.serving.families", "--step", step, "--names", name]
            ended = subprocess.run(
                [*command, "--folder", str(folder), "--out", str(file)], capture_output=True, text=True, check=False
            )
            if ended.returncode:
                lines = [line for line in ended.stderr.splitlines() if "Error" in line] or ended.stderr.splitlines()
                return {"family": name, "failed": step, "message": lines[-1][:600]}
            if step != "build":
                results[step] = json.loads(file.read_text())
    pairs = list(zip(results["served"], results["answered"], strict=True))
    row = {
        "family": name,
        "audio_tokens": [one["audio_tokens"] for _, one in pairs],
        "prompt_tokens": [one["prompt_tokens"] for one, _ in pairs],
        "equal": sum(one["text"].strip() == other["text"].strip() for one, other in pairs),
        "of": len(pairs),
        "equal_to_plain_vllm": sum(
            a["ids"] == b["ids"] for a, b in zip(results["plain"], results["served"], strict=False)
        ),
        "of_plain": len(results["plain"]),
        "differing": [[a["text"], b["text"]] for a, b in pairs if a["text"].strip() != b["text"].strip()],
    }
    print(json.dumps(row), flush=True)
    return row


if __name__ == "__main__":
    main()
