"""Writing a converted checkpoint into a folder so that nothing half-written is ever taken for whole.

Each file is written under another name, brought to disk and then renamed. `config.json`, without which transformers
loads nothing, comes last. What an interrupted conversion has finished is kept: the same command goes on after it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fastadasp.models.converting.outputs import Output, Precision, Shard, deal
from fastadasp.models.converting.source import ConversionError, Source

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
STATE = "conversion.json"
"""What the folder is being, or was, converted from."""
_LOCK, _PART = ".lock", ".part"


def convert(
    source: Source,
    outputs: Sequence[Output],
    folder: Path,
    *,
    recipe: str,
    finish: Callable[[Path], None],
    precision: Precision = Precision.keep,
    shard_bytes: int = 2 * 10**9,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write `outputs` into `folder` as sharded safetensors, then the files of `finish`.

    recipe: name and version of what made `outputs`; a folder of another one is not continued.
    finish: writes config, tokenizer and the like into a folder that it is given.
    progress: called with the bytes written so far and those of all shards.

    At no time more than one shard is held in memory. A folder that is finished already is left as it is. Raises
    ConversionError where `folder` holds anything else, or cannot be written.
    """
    shards = deal(outputs, source, precision, shard_bytes)
    state = {"recipe": recipe, "precision": precision.name, "source": source.identity()}
    plan = [[shard.name, *(output.name for output in shard.outputs)] for shard in shards]
    mark = hashlib.sha256(json.dumps([state, plan]).encode()).hexdigest()
    with _writing_to(folder):
        if _is_finished(folder, mark, source):
            return
        _clear_parts(folder)
        _write_json(folder / STATE, {"mark": mark, **state})
        left = [shard for shard in shards if not _is_whole(folder / shard.name, shard, mark)]
        total, todo = sum(shard.size for shard in shards), sum(shard.size for shard in left)
        _check_room(folder, todo)
        for shard in left:
            _write_shard(folder / shard.name, shard, mark, source, precision)
            todo -= shard.size
            progress(total - todo, total)
        weight_map = {output.name: shard.name for shard in shards for output in shard.outputs}
        _write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
        _finish(folder, finish)


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    """Keep other conversions out, and word what the system says about the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise ConversionError(
            f"another process is converting into {folder}; wait for it, or give another folder"
        ) from None
    except OSError as error:
        raise ConversionError(f"{folder} cannot be written ({error.strerror}); give another folder") from error
    try:
        yield
    except OSError as error:
        raise ConversionError(
            f"{folder} cannot be written any further ({error.strerror}); what is finished stays, and the same command "
            "goes on after it"
        ) from error
    finally:
        lock.release()


def _is_finished(folder: Path, mark: str, source: Source) -> bool:
    """Whether nothing is left to do; ConversionError where the folder is something else."""
    held = sorted(file.name for file in folder.iterdir() if file.name != _LOCK and file.suffix != _PART)
    if not held:
        return False
    try:
        known = json.loads((folder / STATE).read_text(encoding="utf-8"))["mark"] if STATE in held else None
    except (ValueError, KeyError, TypeError):
        known = None
    if known != mark:
        what = "another conversion" if STATE in held else f"other files ({', '.join(held[:3])}, ...)"
        raise ConversionError(
            f"{folder} holds {what} than that of {source.path}; give an empty folder, or empty this one"
        )
    return CONFIG in held


def _clear_parts(folder: Path) -> None:
    """Remove what an interrupted conversion has left half-written."""
    for part in folder.glob(f"*{_PART}"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ConversionError(
            f"{folder} needs {needed / 1e9:.3g} GB more, {free / 1e9:.3g} GB are free; make room, give a folder on "
            "another disk, or convert to bfloat16"
        )


def _is_whole(file: Path, shard: Shard, mark: str) -> bool:
    """Whether an earlier run of this very conversion has written the file."""
    try:
        with safe_open(file, framework="pt") as opened:
            return opened.metadata().get("conversion") == mark and set(opened.keys()) == {o.name for o in shard.outputs}
    except (OSError, SafetensorError):
        return False


def _write_shard(file: Path, shard: Shard, mark: str, source: Source, precision: Precision) -> None:
    tensors = {output.name: output.build(source, precision) for output in shard.outputs}
    part = file.with_name(file.name + _PART)
    try:
        save_file(tensors, part, metadata={"format": "pt", "conversion": mark})
    except SafetensorError as error:
        raise OSError(None, str(error)) from error
    _put_in_place(part, file)


def _finish(folder: Path, finish: Callable[[Path], None]) -> None:
    """Write what is not weights, `config.json` last."""
    with TemporaryDirectory(dir=folder, suffix=_PART) as name:
        written = Path(name)
        finish(written)
        for file in sorted(written.iterdir(), key=lambda file: file.name == CONFIG):
            _put_in_place(file, folder / file.name)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    part = file.with_name(file.name + _PART)
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    _put_in_place(part, file)


def _put_in_place(part: Path, file: Path) -> None:
    """Give a written file its name, once its content is on disk."""
    with part.open("rb") as opened:
        os.fsync(opened.fileno())
    part.replace(file)
