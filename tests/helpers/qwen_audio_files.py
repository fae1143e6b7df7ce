"""Folders that look like a released Qwen-Audio checkpoint: all real keys and files, but small, with random weights."""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.helpers.qwen_audio_restated import Restatement, drawn, scaled_down

CORPUS = (
    "Mister Quilter is the apostle of the middle classes, and we're glad to welcome his gospel. It's 1,234.50 now; "
    "they'll say: «Grüße aus Köln!» 我们很高兴欢迎他的福音。福音 東京の天気は晴れです。 안녕하세요  the  end\n\n"
    "the cat sat on the mat, the the that this there then 😀😀 👩‍👩‍👧 naïve café e\u0301\r\n\tnext line   "
) * 3
SPECIAL = 3522
"""Number of special tokens."""


def trained_ranks(text: str = CORPUS, merges: int = 200) -> dict[bytes, int]:
    """Byte strings as byte pair encoding learns them: the most frequent pair of neighbours becomes one, many times."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    words = [[bytes([byte]) for byte in word.encode()] for word in text.replace(" ", "\0 ").split("\0")]
    for _ in range(merges):
        pairs = Counter(pair for word in words for pair in pairwise(word))
        (first, second), _ = max(pairs.items(), key=lambda item: (item[1], item[0]))
        ranks[first + second] = len(ranks)
        for word in words:
            place = 0
            while place < len(word) - 1:
                if (word[place], word[place + 1]) == (first, second):
                    word[place : place + 2] = [first + second]
                place += 1
    return ranks


def write_ranks(ranks: Mapping[bytes, int], file: Path) -> None:
    file.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()))


def write_checkpoint(
    folder: Path,
    *,
    chat: bool = False,
    layers: int = 3,
    seq_length: int = 2048,
    dtype: torch.dtype = torch.float32,
    changed: Mapping[str, Tensor | None] = {},
    **settings: Any,
) -> Restatement:
    """Write the folder as it would be downloaded, and return the model in it.

    changed: tensors to put in, or with None to leave out.
    settings: of config.json, put in after the model was made.
    """
    ranks = trained_ranks()
    start = len(ranks) + SPECIAL - 2
    config = scaled_down(start + 30, start, layers=layers, seq_length=seq_length)
    model = drawn(config).to(dtype)
    folder.mkdir(parents=True, exist_ok=True)
    write_ranks(ranks, folder / "qwen.tiktoken")
    (folder / "config.json").write_text(json.dumps({**config, **settings}))
    (folder / "generation_config.json").write_text(
        json.dumps({"chat_format": "chatml" if chat else "raw", "eos_token_id": 151643, "top_p": 0.5})
    )
    tensors = {key: value.clone() for key, value in model.state_dict().items()}
    tensors = {key: value for key, value in {**tensors, **changed}.items() if value is not None}
    names = sorted(tensors)
    parts = names[::2], names[1::2]
    weight_map = {key: f"model-0000{part}-of-00002.safetensors" for part in (1, 2) for key in parts[part - 1]}
    for part in (1, 2):
        shard = {key: tensors[key] for key in parts[part - 1]}
        save_file(shard, folder / f"model-0000{part}-of-00002.safetensors", {"format": "pt"})
    index = {"metadata": {"total_size": sum(value.nbytes for value in tensors.values())}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return model
