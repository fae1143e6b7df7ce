"""What does reduction bring to a server, and where does it not pay?

`python -m experiments.serving.cost --out FILE` serves the embedded model with the plugin and merge=blend_input, in one
process, and asks about short clips (3 to 8 s) and long ones (60 s, in two pieces), 1 to 32 requests at once, at several
ratios in turns. All figures of time are processor seconds of the engine's process, which does everything on one thread,
so that they do not depend on what else the machine does; each is the median over rounds. Every request has audio of its
own (its volume differs by a millionth), so that no cache answers.

Noted for each cell: seconds for each request, its time to the first token, blocks of the KV cache in use at most,
requests under way at once, and seconds in the audio encoder and in the reduction itself. With `--capacity`: how many
pieces of 30 s a prompt of `--longest` tokens holds.

On a GPU: `python -m experiments.serving.cost --model MODEL --dtype bfloat16 --wall --out FILE`, with clock time.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib import import_module
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from experiments.serving.engine import MODEL, chat_prompt, examples_of, request, seconds_of, start
from experiments.serving.equality import machine

RATIOS = (0.0, 0.3, 0.5, 0.7)
AT_ONCE = (1, 4, 16, 32)
NEW_TOKENS = 24
RATE = 16_000
PIECE_S = 30
PROMPT = "Transcribe the speech."


class Asking:
    """An engine that is stepped by hand, and what each step shows."""

    def __init__(self, engine: Any, prompts: dict[int, str], clock: Any) -> None:
        """prompts: by number of clips."""
        self.engine, self.prompts, self.clock = engine.llm_engine, prompts, clock
        self.numbers = count()
        self.scheduler = self.engine.engine_core.engine_core.scheduler
        self.blocks = self.scheduler.kv_cache_manager.block_pool

    def ask(self, clips: Sequence[Sequence[np.ndarray]], ratio: float, at_once: int) -> dict[str, float]:
        """Ask about prompts of clips, `at_once` at a time: a new one when one is done."""
        from vllm import SamplingParams

        sampling = SamplingParams(temperature=0, max_tokens=NEW_TOKENS, ignore_eos=True)
        waiting: Iterator[Sequence[np.ndarray]] = iter(clips)
        asked_s: dict[str, float] = {}
        first_s: dict[str, float] = {}
        free = self.blocks.get_num_free_blocks()
        fewest, most_running, done = free, 0, 0
        start_s = self.clock()

        def ask_next() -> None:
            if (audio := next(waiting, None)) is not None:
                number = next(self.numbers)
                own = [(samples * np.float32(1 - 1e-6 * (number + 1)), RATE) for samples in audio]
                asked_s[str(number)] = self.clock()
                self.engine.add_request(str(number), request(self.prompts[len(own)], own, ratio), sampling)

        for _ in range(at_once):
            ask_next()
        while self.engine.has_unfinished_requests():
            for output in self.engine.step():
                first_s.setdefault(output.request_id, self.clock())
                if output.finished:
                    done += 1
                    ask_next()
            fewest = min(fewest, self.blocks.get_num_free_blocks())
            most_running = max(most_running, len(self.scheduler.running))
        assert done == len(clips)
        return {
            "s_each": (self.clock() - start_s) / len(clips),
            "first_token_s": median(first_s[name] - asked_s[name] for name in asked_s),
            "blocks": free - fewest,
            "running": most_running,
        }


def short_clips(number: int) -> list[list[np.ndarray]]:
    """Bundled clips of the recognition set."""
    import soundfile

    examples = examples_of("asr", min(number, 64))
    read = [soundfile.read(str(example.audio[0]), dtype="float32")[0] for example in examples]
    return [[read[index % len(read)]] for index in range(number)]


def long_clips(number: int, pieces: int = 2) -> list[list[np.ndarray]]:
    """Bundled clips one after another, in pieces of 30 s."""
    samples = np.concatenate([clip for (clip,) in short_clips(64)])
    length = PIECE_S * RATE
    starts = range(0, len(samples) - length, length // 3)
    return [
        [samples[starts[(index + piece) % len(starts)] :][:length] for piece in range(pieces)]
        for index in range(number)
    ]


def timed(asking: Asking, rounds: int, at_once: Sequence[int]) -> list[dict[str, Any]]:
    """The cells, each measured once in every round, ratios in turns."""
    from fastadasp.serving.vllm import models

    kinds = {"short": short_clips, "long": long_clips}
    found: dict[tuple[str, int, float], list[dict[str, float]]] = {}
    for turn in range(rounds + 1):  # the first warms up
        for kind, clips_of in kinds.items():
            for together in at_once if turn else at_once[:1]:
                clips = clips_of(max(4, together))
                for ratio in RATIOS:
                    encoder: list[float] = []
                    reduction: list[float] = []
                    with ExitStack() as stack:
                        base = models.FAMILIES["Qwen2AudioForConditionalGeneration"]
                        owner = getattr(import_module(f"{models.MODELS}.{base.module}"), base.class_name)
                        stack.enter_context(seconds_of(owner, "embed_multimodal", encoder))
                        stack.enter_context(seconds_of(models, "reduce_clips", reduction))
                        cell = asking.ask(clips, ratio, together)
                    cell |= {
                        "encoder_s_each": sum(encoder) / len(clips),
                        "reduction_s_each": sum(reduction) / len(clips),
                    }
                    if turn:
                        found.setdefault((kind, together, ratio), []).append(cell)
    return [
        {"clips": kind, "at_once": together, "ratio": ratio, "rounds": len(cells)}
        | {name: round(median(cell[name] for cell in cells), 4) for name in cells[0]}
        for (kind, together, ratio), cells in found.items()
    ]


def capacity(asking: Asking) -> list[dict[str, Any]]:
    """Pieces of 30 s that one prompt holds."""
    from vllm.exceptions import VLLMValidationError

    rows = []
    for ratio in RATIOS:
        pieces = 1
        while pieces < max(asking.prompts):
            try:
                asking.ask(long_clips(1, pieces + 1), ratio, 1)
            except VLLMValidationError:  # longer than a prompt may be
                break
            pieces += 1
        rows.append({"ratio": ratio, "pieces_of_30_s_in_a_prompt": pieces})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default=str(MODEL))
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", nargs="+", type=int, default=list(AT_ONCE))
    parser.add_argument("--longest", type=int, default=4096, help="tokens of a prompt")
    parser.add_argument("--capacity", action="store_true", help="measure only what a prompt holds")
    parser.add_argument("--wall", action="store_true", help="clock time, for devices that work beside the processor")
    arguments = parser.parse_args()
    clock = time.perf_counter if arguments.wall else time.process_time
    engine = start(
        arguments.model,
        dtype=arguments.dtype,
        max_model_len=arguments.longest,
        max_num_seqs=max(*arguments.at_once, 2),
        max_num_batched_tokens=4096,
        limit_mm_per_prompt={"audio": 20},
        mm_processor_kwargs={"merge": "blend_input", "ratio": 0.5},
        enable_prefix_caching=False,
        mm_processor_cache_gb=0,
    )
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(arguments.model)
    asking = Asking(engine, {clips: chat_prompt(processor, PROMPT, clips) for clips in range(1, 21)}, clock)
    found = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    found |= {"machine": machine(), "new_tokens": NEW_TOKENS, "clock": "wall" if arguments.wall else "processor"}
    if arguments.capacity:
        found["capacity"] = {"prompt_tokens": arguments.longest, "rows": capacity(asking)}
    else:
        found["cells"] = timed(asking, arguments.rounds, arguments.at_once)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
