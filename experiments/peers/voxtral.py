"""Voxtral through `model=hf`, in an environment with mistral-common: `python -m experiments.peers.voxtral OUT.json`.

mistral-common wants an older NumPy than the project's tests run with, so that this check is no test. A tiny random
model of the shipped class with a tokenizer of single bytes in mistral's own format is saved and loaded; then ratio 0
must give the answers of the unpatched class, rows of a batch what they give alone, and beams must run.
"""

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers
from transformers.tokenization_mistral_common import MistralCommonBackend

from fastadasp import FastAdaSP, MergeMethod, merging
from fastadasp.models.base import Generation
from fastadasp.models.chat import ChatSpeechLM
from fastadasp.tasks.base import Example
from tests.helpers.family_parts import DECODER, WHISPER

NAMED = {0: "<unk>", 1: "<s>", 2: "</s>", 3: "[INST]", 4: "[/INST]", 11: "<pad>", 17: "[SYSTEM_PROMPT]"}
NAMED |= {18: "[/SYSTEM_PROMPT]", 24: "[AUDIO]", 25: "[BEGIN_AUDIO]", 34: "[TRANSCRIBE]"}
NAMED |= {5: "[AVAILABLE_TOOLS]", 6: "[/AVAILABLE_TOOLS]", 7: "[TOOL_RESULTS]", 8: "[/TOOL_RESULTS]", 9: "[TOOL_CALLS]"}
NAMED |= {10: "[IMG]", 12: "[IMG_BREAK]", 13: "[IMG_END]", 14: "[PREFIX]", 15: "[MIDDLE]", 16: "[SUFFIX]"}
NAMED |= {19: "[TOOL_CONTENT]"}
SPECIAL, AUDIO = 40, 24


def tokenizer_file(folder: Path) -> Path:
    """A tokenizer of single bytes in the format of mistral-common."""
    letters = [{"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode(), "token_str": None} for i in range(256)]
    special = [{"rank": i, "token_str": NAMED.get(i, f"<SPECIAL_{i}>"), "is_control": True} for i in range(SPECIAL)]
    config = {
        "pattern": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+",
        "num_vocab_tokens": 256,
        "default_vocab_size": 256 + SPECIAL,
        "default_num_special_tokens": SPECIAL,
        "version": "v7",
    }
    spectrogram = {"num_mel_bins": 128, "hop_length": 160, "window_size": 400}
    audio = {"sampling_rate": 16000, "frame_rate": 12.5, "audio_encoding_config": spectrogram, "chunk_length_s": 30.0}
    path = folder / "tekken.json"
    path.write_text(json.dumps({"config": config, "vocab": letters, "special_tokens": special, "audio": audio}))
    return path


def checkpoint(folder: Path) -> ChatSpeechLM:
    """The tiny model, loaded as a user does."""
    tokenizer = MistralCommonBackend(tokenizer_file(folder))
    transformers.VoxtralProcessor(transformers.WhisperFeatureExtractor(feature_size=128), tokenizer).save_pretrained(
        folder
    )
    torch.manual_seed(0)
    config = transformers.VoxtralConfig(
        audio_config={**WHISPER, "num_mel_bins": 128, "intermediate_size": 128},  # four frames are stacked
        text_config={**DECODER, "model_type": "llama", "head_dim": 8},
        audio_token_id=AUDIO,
    )
    transformers.VoxtralForConditionalGeneration(config).eval().save_pretrained(folder)
    adapter = ChatSpeechLM(path=str(folder))
    adapter.load(device="cpu", dtype="float32", attention="sdpa")
    return adapter


def answers(adapter: ChatSpeechLM, rows: list[Any], method: MergeMethod, beams: int) -> list[list[int]]:
    """Ids of the answers under a method."""
    inputs = adapter.encode(rows)
    with merging(adapter.model, method, adapter.audio_mask(inputs)):
        ids: list[list[int]] = adapter.generate(inputs, Generation(max_new_tokens=4, num_beams=beams))[0].tolist()
    return ids


def main() -> None:
    """Check, and write what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        adapter, rows = checkpoint(folder), []
        for seconds in (3.0, 40.0):
            path = folder / f"{seconds}.wav"
            soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(round(seconds * 16_000)), 16_000)
            rows.append(adapter.prepare(Example("x", (path,), "Transcribe the speech.", "", task="asr")))
        merged, nothing, found = FastAdaSP(ratio=0.3, layer=1), FastAdaSP(ratio=0.0, layer=1), adapter.listening
        inputs = adapter.encode(rows)
        plain = adapter.model.generate(**inputs, max_new_tokens=4)[:, inputs["input_ids"].shape[1] :].tolist()
        told = {
            "mistral_common": __import__("mistral_common").__version__,
            "transformers": transformers.__version__,
            "form": found.form,
            "token": found.token,
            "tokens_per_second": found.per_second,
            "tokens": adapter.audio_mask(inputs).sum(1).tolist(),
            "ratio 0 is the unpatched class": answers(adapter, rows, nothing, 1) == plain,
            **{
                f"rows as alone, {beams} beams": answers(adapter, rows, merged, beams)
                == [answers(adapter, [row], merged, beams)[0] for row in rows]
                for beams in (1, 3)
            },
        }
    text = json.dumps(told, indent=1)
    print(text)
    Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
