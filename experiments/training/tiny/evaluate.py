"""Score an exported folder on shards or manifests, through plain transformers: processor, `generate`, decode.

    python -m experiments.training.tiny.evaluate fastadasp/assets/tiny DIR/dev/* --limit 64

A manifest's task is its folder's name up to the last `-`; `asr:PATH` names it where the folder does not. The reported
scores of the project come from `run.py`; this is the quick look while training.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import sacrebleu
import soundfile
import torch
from numpy.typing import NDArray
from transformers import AutoProcessor, Qwen2AudioForConditionalGeneration
from whisper_normalizer.english import EnglishTextNormalizer

from experiments.training.tiny.encode import WINDOW
from experiments.training.tiny.items import AUDIO, MANIFEST, Item, read_jsonl
from experiments.training.tiny.prompts import task_lesson

Wave = NDArray[np.float32]


def read_examples(folder: Path, task: str, limit: int) -> list[tuple[Item, Wave]]:
    """(item, waveform at 16 kHz) of a shard, or of a manifest with one audio file a line."""
    packed = np.load(folder / AUDIO, mmap_mode="r") if (folder / AUDIO).exists() else None
    out = []
    for line in list(read_jsonl(folder / MANIFEST))[:limit]:
        if packed is None:
            wave = soundfile.read(folder / line["audio"], dtype="float32")[0]
        else:
            wave = packed[line["start"] : line["start"] + line["samples"]].astype(np.float32) / 32768
        out.append((Item(folder, task, line, ()), wave))
    return out


def clips_of(wave: Wave) -> list[Wave]:
    """The waveform in clips of at most 30 s."""
    return [wave[i : i + WINDOW] for i in range(0, len(wave), WINDOW)]


@torch.inference_mode()
def answer(model: Any, processor: Any, batch: Sequence[tuple[Item, Wave]]) -> list[str]:
    """The model's answers to the items, in their order."""
    prompts, audio = [], []
    for item, wave in batch:
        clips = clips_of(wave)
        content = [{"type": "audio"}] * len(clips) + [{"type": "text", "text": task_lesson(item).instruction}]
        chat = [{"role": "user", "content": content}]
        prompts.append(processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))
        audio += clips
    inputs = processor(text=prompts, audio=audio, sampling_rate=16_000, return_tensors="pt", padding=True)
    inputs["input_features"] = inputs["input_features"].to(model.dtype)
    ids = model.generate(**inputs, max_new_tokens=128, do_sample=False)
    return list(processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True))


def score(task: str, answers: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """WER in percent for asr, BLEU for st, accuracy in percent for the others."""
    if task == "asr":
        normal = EnglishTextNormalizer()
        return {"wer": 100 * jiwer.wer([normal(x) for x in references], [normal(x) for x in answers])}
    if task == "st":
        return {"bleu": sacrebleu.corpus_bleu(list(answers), [list(references)]).score}
    return {"accuracy": 100 * float(np.mean([a.strip() == r for a, r in zip(answers, references, strict=True)]))}


def main() -> None:
    """Score a folder on shards and print one JSON line for each."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("sets", nargs="+", help="shard or manifest folders, [TASK:]FOLDER")
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--show", type=int, default=0, help="answers to print for each set")
    args = parser.parse_args()
    processor = AutoProcessor.from_pretrained(args.model)
    model = Qwen2AudioForConditionalGeneration.from_pretrained(args.model, dtype=torch.float32).eval()
    for name in args.sets:
        task, _, path = name.rpartition(":")
        folder = Path(path)
        task = task or folder.name.rsplit("-", 1)[0]
        began = time.monotonic()
        examples = sorted(read_examples(folder, task, args.limit), key=lambda example: len(example[1]))
        batches = [examples[i : i + args.batch] for i in range(0, len(examples), args.batch)]
        answers = [text for batch in batches for text in answer(model, processor, batch)]
        references = [task_lesson(item).answer for item, _ in examples]
        for heard, wanted in list(zip(answers, references, strict=True))[:: max(1, len(answers) // (args.show or 1))]:
            if args.show:
                print(f"  {heard!r}  <-  {wanted!r}")
        result = {"set": folder.name, "task": task, "items": len(examples), **score(task, answers, references)}
        print(json.dumps({**result, "seconds": round(time.monotonic() - began, 1)}), flush=True)


if __name__ == "__main__":
    main()
