"""What a checkpoint has learnt to find: `python -m experiments.training.tiny.probe --run run SET`, a line a skill.

Answers are foretold token by token from the right ones before (no generation: seconds instead of minutes), each
exactly right or not. Sets are features of development shards (`experiments.training.tiny.encode`) or lessons without
audio of another seed (`experiments.training.tiny.corpus.written --seed dev`).

The order in which the skills come: a word by the word before it (`pairs`), the sentence that tells a fact, then the
fact itself.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2AudioForConditionalGeneration

from experiments.training.tiny.batches import IGNORED, Row, Rows, collate
from experiments.training.tiny.export import load_checkpoint
from experiments.training.tiny.items import Item, read_items, read_jsonl
from experiments.training.tiny.network import autocast
from experiments.training.tiny.prompts import QUOTE, Lesson, Turn, question, right_choice, task_lesson
from experiments.training.tiny.vocabulary import load_processor

BATCH = 16
SIZES = {"2-3": range(2, 4), "4-6": range(4, 7), "7 or more": range(7, 100)}
"""Facts of a passage."""


def asked_lesson(item: Item, asked: dict[str, Any], kind: str) -> Lesson:
    """One question about a passage: with choices, open, or for the sentence that tells the answer."""
    turn = {
        "choices": Turn(question(asked), right_choice(asked)),
        "open": Turn(asked["question"], right_choice(asked)),
        "quote": Turn(f"{asked['question']} {QUOTE}", asked["evidence"]),
    }[kind]
    return Lesson((turn,), passage=None if item.clips else item.fields["text"])


def skills(items: Sequence[Item], name: str) -> Iterator[tuple[str, list[tuple[Item, Lesson]]]]:
    """Named lists of lessons: passages by their number of facts and by kind of question, other items as their task."""
    if items[0].task == "pairs":
        yield name, [(item, Lesson(task_lesson(item).turns, passage=item.fields["text"])) for item in items]
    elif items[0].task == "sqa":
        for size, count in SIZES.items():
            chosen = [item for item in items if len(item.fields["questions"]) in count]
            for kind in ("choices", "open", "quote"):
                asked = [(item, asked_lesson(item, one, kind)) for item in chosen for one in item.fields["questions"]]
                yield f"{name}, {size} facts, {kind}", asked
    else:
        yield name, [(item, task_lesson(item)) for item in items]


@torch.inference_mode()
def foretold(
    network: Qwen2AudioForConditionalGeneration, rows: Sequence[Row], pad: int, reach: int = 0
) -> tuple[Tensor, Tensor]:
    """(right_BT, counted_BT): which tokens of the answers are foretold, and which tokens are answers.

    With `reach` the rows are masked and moved to far positions as in training.
    """
    model, decoder = network.model, network.model.language_model
    batch = collate(rows, network.config.audio_token_id, pad, reach, random.Random(0) if reach else None)
    audio_BT = batch.ids_BT == network.config.audio_token_id
    embeds_BTD = decoder.embed_tokens(batch.ids_BT)
    with autocast():
        if audio_BT.any():
            heard = model.multi_modal_projector(batch.features_ND.to(embeds_BTD.dtype)).to(embeds_BTD.dtype)
            embeds_BTD = embeds_BTD.masked_scatter(audio_BT[..., None], heard)
        outputs = decoder(inputs_embeds=embeds_BTD, position_ids=batch.positions_BT, use_cache=False)
        labels_BT = batch.labels_BT[:, 1:]
        counted_BT = labels_BT != IGNORED
        right_BT = torch.zeros_like(counted_BT)
        best = network.lm_head(outputs.last_hidden_state[:, :-1][counted_BT]).argmax(-1)
    right_BT[counted_BT] = best == labels_BT[counted_BT]
    return right_BT, counted_BT


def measure(
    network: Qwen2AudioForConditionalGeneration, rows: Rows, lessons: Sequence[tuple[Item, Lesson]], reach: int = 0
) -> dict[str, float]:
    """Shares of answers foretold as a whole and of their tokens."""
    exact = tokens = counted = 0
    lessons = sorted(lessons, key=lambda pair: pair[0].tokens)
    for start in range(0, len(lessons), BATCH):
        batch = [rows(item, lesson) for item, lesson in lessons[start : start + BATCH]]
        right_BT, counted_BT = foretold(network, batch, int(rows.tokenizer.pad_token_id), reach)
        exact += int((right_BT == counted_BT).all(1).sum())
        tokens, counted = tokens + int(right_BT.sum()), counted + int(counted_BT.sum())
    return {"answers": len(lessons), "exact": round(exact / len(lessons), 4), "tokens": round(tokens / counted, 4)}


def main() -> None:
    """Print one line for each skill."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("sets", nargs="+", type=Path, help="feature folders, or JSONL files of lessons without audio")
    parser.add_argument("--data", type=Path, default=Path("outputs/tiny"), help="training's working folder")
    parser.add_argument("--run", default="run")
    parser.add_argument("--limit", type=int, default=64, help="items of each set")
    parser.add_argument("--reach", type=int, default=0, help="mask and move rows as a training with this reach does")
    args = parser.parse_args()
    network = load_checkpoint(args.data, args.run).eval()
    network.model.language_model.set_attn_implementation("sdpa")
    rows = Rows(load_processor(args.data / "model").tokenizer)
    for path in args.sets:
        lines = None if path.is_dir() else [Item(path.parent, path.stem, line, ()) for line in read_jsonl(path)]
        for name, lessons in skills((lines or read_items(path))[: args.limit], path.stem):
            if lessons:
                print(json.dumps({"skill": name, **measure(network, rows, lessons, args.reach)}), flush=True)


if __name__ == "__main__":
    main()
