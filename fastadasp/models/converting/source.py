"""Reading the tensors of a published checkpoint one at a time, without running any code that the file may hold.

Weights stay on disk: files are mapped into memory, and a tensor's pages are read when the tensor is.
"""

import hashlib
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from fastadasp.errors import InputError

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
"""Files that say which of a folder's files holds which tensor."""
SINGLE = ("model.safetensors", "pytorch_model.bin")
"""The only file of a folder that has no index."""
SKIPPED = (
    "argparse.Namespace",
    "builtins.bool",
    "builtins.dict",
    "builtins.float",
    "builtins.int",
    "builtins.list",
    "builtins.str",
    "collections.defaultdict",
    "typing.Any",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.base.SCMode",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.nodes.AnyNode",
    "omegaconf.nodes.BooleanNode",
    "omegaconf.nodes.EnumNode",
    "omegaconf.nodes.FloatNode",
    "omegaconf.nodes.IntegerNode",
    "omegaconf.nodes.StringNode",
)
"""Names in a pickle, beside those that torch allows itself, that stand for settings of a training run. An inert object
takes their place: neither the named class nor the named function is imported or called."""
FORMATS = (torch.float32, torch.bfloat16, torch.float16)
"""Of the numbers in published checkpoints."""
_EDGE = 2**20
"""Bytes at either end of a file that tell it from another of the same size and time."""


class ConversionError(InputError):
    """A checkpoint that cannot be converted; the message names the file, what is wrong with it and what to do."""


@dataclass(frozen=True)
class Stored:
    """A tensor that still lies in its file."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]


@dataclass(frozen=True)
class Source:
    """A published checkpoint."""

    path: Path
    files: tuple[Path, ...]
    tensors: Mapping[str, Stored]

    def identity(self) -> list[tuple[str, int, int, str]]:
        """Name, size, modification time and a digest of both ends of each file: equal for an unchanged checkpoint."""
        return [
            (file.name, (status := file.stat()).st_size, status.st_mtime_ns, _edges(file, status.st_size))
            for file in self.files
        ]


def open_source(path: Path, *, within: str | None = None, drop: Sequence[str] = (), advice: str = "") -> Source:
    """The checkpoint at `path`: a file, or a folder with one file or several and their index.

    within: entry of a pickled file under which its tensors stand; None where they stand at the top.
    drop: parts of keys that wrappers have left in them.
    advice: how to get the checkpoint, for the error that says that it is missing.

    Raises ConversionError for files that are missing, damaged, hold anything else than tensors, or hold code.
    """
    if not path.exists():
        raise ConversionError(f"{path} does not exist" + (f"; {advice}" if advice else ""))
    files = _files(path, advice) if path.is_dir() else (path,)
    tensors: dict[str, Stored] = {}
    for file in files:
        for key, stored in _read(file, within):
            for part in drop:
                key = key.replace(part, "")
            if key in tensors:
                raise ConversionError(f"{file}: {key} stands in the checkpoint twice; it was not written by one model")
            tensors[key] = stored
    if other := [f"{key} ({stored.dtype})" for key, stored in tensors.items() if stored.dtype not in FORMATS]:
        raise ConversionError(
            f"{path}: weights must be float32, bfloat16 or float16, as they were published: {_first(other)}; it is a "
            "quantised or another checkpoint"
        )
    return Source(path, files, tensors)


def _first(items: Sequence[str], most: int = 5) -> str:
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def _files(folder: Path, advice: str) -> tuple[Path, ...]:
    """The weight files of a folder; safetensors rather than pickles."""
    for index, single in zip(INDEXES, SINGLE, strict=True):
        if (folder / index).is_file():
            return _indexed(folder / index)
        if (folder / single).is_file():
            return (folder / single,)
    known = ", ".join((*INDEXES, *SINGLE))
    raise ConversionError(f"{folder} holds no weights (none of {known})" + (f"; {advice}" if advice else ""))


def _indexed(index: Path) -> tuple[Path, ...]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        outside = [name for name in names if Path(name).name != name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConversionError(f"{index} is damaged ({type(error).__name__}); download it again") from error
    if outside:
        raise ConversionError(f"{index} names {outside[0]}, which is no file of the folder; download it again")
    if missing := [name for name in names if not (index.parent / name).is_file()]:
        raise ConversionError(f"{index.parent} lacks {', '.join(missing)}, named by {index.name}; download them")
    return tuple(index.parent / name for name in names)


def _read(file: Path, within: str | None) -> Iterator[tuple[str, Stored]]:
    if file.suffix == ".safetensors":
        yield from _safetensors(file)
        return
    entries = _unpickled(file)
    if within is not None:
        if not isinstance(entries, Mapping) or within not in entries:
            held = ", ".join(map(str, entries)) if isinstance(entries, Mapping) else type(entries).__name__
            raise ConversionError(
                f"{file} has no entry {within!r} (it holds: {held}); it is another kind of checkpoint"
            )
        entries = entries[within]
    if not isinstance(entries, Mapping):
        raise ConversionError(f"{file} holds a {type(entries).__name__} where its tensors should stand by name")
    if other := [f"{key} ({type(value).__name__})" for key, value in entries.items() if not _is_plain(value)]:
        raise ConversionError(f"{file}: not plain tensors: {_first(other)}")
    for key, value in entries.items():
        yield key, Stored(tuple(value.shape), value.dtype, value.detach)


def _is_plain(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided


def _safetensors(file: Path) -> Iterator[tuple[str, Stored]]:
    try:
        opened: Any = safe_open(file, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ConversionError(f"{file} is damaged or cut off ({error}); download it again") from error
    for key in opened.keys():  # noqa: SIM118  # it is no mapping
        view = opened.get_slice(key)
        shape = tuple(view.get_shape())
        dtype = view[:0].dtype if shape else opened.get_tensor(key).dtype
        yield key, Stored(shape, dtype, partial(opened.get_tensor, key))


class _Inert:
    """Stands for an object of a training run, and ignores all that the pickle tells it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        return

    def __setstate__(self, _: Any) -> None:
        return


def _unpickled(file: Path) -> Any:
    """What torch.save wrote, tensors mapped from the file. No code of the file runs."""
    if not zipfile.is_zipfile(file):
        with file.open("rb") as opened:
            begins_as_zip = opened.read(4) == b"PK\x03\x04"
        raise ConversionError(
            f"{file} is cut off ({file.stat().st_size} bytes); download it again"
            if begins_as_zip
            else f"{file} is no file of torch.save, or one of before torch 1.6, which cannot be read piece by piece"
        )
    try:
        foreign = get_unsafe_globals_in_checkpoint(file)
        if refused := sorted(name for name in foreign if name not in SKIPPED):
            raise ConversionError(
                f"{file} names code to run when it is read: {', '.join(refused)}. A checkpoint needs none, none was "
                "run; do not use the file unless you know who wrote it"
            )
        with safe_globals([(_Inert, name) for name in foreign]):
            return torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError, IndexError) as error:
        if isinstance(error, ConversionError):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConversionError(f"{file} cannot be read as a checkpoint of torch.save: {reason}") from error


def _edges(file: Path, size: int) -> str:
    with file.open("rb") as opened:
        first = opened.read(_EDGE)
        opened.seek(max(0, size - _EDGE))
        return hashlib.blake2b(first + opened.read(_EDGE), digest_size=16).hexdigest()
