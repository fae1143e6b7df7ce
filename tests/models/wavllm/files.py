"""The released files in small: a fairseq checkpoint with every real key, and a SentencePiece model beside it."""

from pathlib import Path

import torch
from transformers import LlamaConfig
from transformers.convert_slow_tokenizer import import_protobuf

from fastadasp.models.wavllm.configuration import WavLLMConfig
from tests.models.wavllm.released import Sizes, released_weights

WORDS = ("the", "he", "th", "SPE", "SP", "ECH", "CH", "INST", "IN", "ST", "[/", "</", "▁t", "▁the", "▁a", "an", "in")
"""Pieces of more than one character; their order is their rank."""


def config_of(sizes: Sizes) -> WavLLMConfig:
    """What the converter must be told of a model of other sizes than the published ones."""
    text = LlamaConfig(
        vocab_size=sizes.vocab,
        hidden_size=sizes.hidden,
        intermediate_size=sizes.ffn,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        rms_norm_eps=1e-6,
        max_position_embeddings=4096,
    )
    return WavLLMConfig(
        whisper_config=sizes.whisper(),
        wavlm_config=sizes.wavlm(),
        text_config=text,
        whisper_channels=sizes.whisper_middle,
        wavlm_channels=sizes.wavlm_middle,
        stream_size=sizes.stream,
        bottleneck_size=sizes.bottleneck,
        projected_size=sizes.projected,
        lora_rank=sizes.rank,
        gate_size=sizes.gate,
    )


def write_tokenizer(path: Path, pieces: int) -> Path:
    """A SentencePiece model of LLaMA's kind: bytes, a few words, characters, and fillers up to `pieces`."""
    model = import_protobuf().ModelProto()
    characters = ["▁", *map(chr, range(ord("!"), ord("~") + 1))]
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *WORDS, *characters]
    texts += [f"filler{number}" for number in range(pieces - len(texts))]
    kinds = [2, 3, 3, *[6] * 256]
    for number, text in enumerate(texts):
        kind = kinds[number] if number < len(kinds) else 1
        model.pieces.add(piece=text, score=float(-max(0, number - 258)), type=kind)
    model.trainer_spec.model_type = 2
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = False
    path.write_bytes(model.SerializeToString())
    return path


def write_release(folder: Path, sizes: Sizes, dtype: torch.dtype = torch.float32) -> Path:
    """`final.pt` as fairseq writes it, with what a training run leaves beside the weights, and `tokenizer.model`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder / "tokenizer.model", sizes.vocab)
    weights = released_weights(sizes, dtype)
    run = {"args": None, "cfg": {"task": {"llama_2": True}}, "model": weights, "last_optimizer_state": None}
    torch.save(run, folder / "final.pt")
    return folder / "final.pt"
