"""The name of a run: a hash of everything that can change its predictions."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parent

IRRELEVANT = frozenset(
    {
        "hydra",
        "output_dir",
        "logger",
        "experiments",
        "hardware.num_workers",
        "hardware.threads",
        "hardware.trainer",
        "hardware.peak_flops",
        "hardware.bandwidth",
    }
)
"""Keys that cannot change a prediction: where results go, and how fast they come."""

NEUTRAL_CODE = frozenset({"config.py", "errors.py", "evaluation", "fingerprint.py", "report", "run.py", "sweep.py"})
"""Parts of the package that no prediction depends on; an edit elsewhere starts new runs, so that results never mix."""

HASHED_WHOLE = 64 * 2**20
"""Bytes up to which a file counts by its content; a larger one (weights) by its size and modification time."""


def run_folder(cfg: DictConfig) -> str:
    """`<task>/<model>/<merge>/<fingerprint>`: the folder of a run, the same whenever the same is asked for."""
    choices = cfg.hydra.runtime.choices
    return f"{choices.task}/{choices.model}/{choices.merge}/{fingerprint(cfg)}"


def fingerprint(cfg: DictConfig) -> str:
    """12 hex digits that are equal for two configs if and only if their predictions may share a folder.

    Covers all settings but IRRELEVANT ones, the content of every file or folder that `task` and `model` name (the
    sizes of a manifest's audio files included), and the package's own code.
    """
    bare = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in IRRELEVANT])
    flat = _flatten(OmegaConf.to_container(bare, resolve=True))
    settings = {key: value for key, value in flat if key not in IRRELEVANT}
    contents = {  # os.path.exists takes any text; Path.exists raises on a long instruction
        key: _path_digest(Path(value))
        for key, value in settings.items()
        if isinstance(value, str) and key.startswith(("task.", "model.")) and os.path.exists(value)  # noqa: PTH110
    }
    # Paths inside the repository are written relative to it: a clone elsewhere gives the same name.
    described = json.dumps([settings, contents, _code_digest()], sort_keys=True, default=str)
    return hashlib.sha256(described.replace(f"{REPOSITORY}{os.sep}", "").encode()).hexdigest()[:12]


def _flatten(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and name not in IRRELEVANT:
            yield from _flatten(value, f"{name}.")
        else:
            yield name, value


def _path_digest(path: Path) -> str:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix != ".md")
        return _digest(f"{file.relative_to(path)}:{_file_digest(file)}" for file in files)
    if path.suffix == ".jsonl":
        return _digest([_file_digest(path), *_audio_sizes(path)])
    return _file_digest(path)


def _file_digest(file: Path) -> str:
    status = file.stat()
    if status.st_size > HASHED_WHOLE:
        return f"{status.st_size}:{status.st_mtime_ns}"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _audio_sizes(manifest: Path) -> Iterator[str]:
    """Size of each audio file that a manifest names; malformed lines are left for the task to report."""
    for line in manifest.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            audio = json.loads(line)["audio"]
        except (ValueError, TypeError, KeyError):
            continue
        for name in audio if isinstance(audio, list) else [audio]:
            file = manifest.parent / str(name)
            yield str(file.stat().st_size) if file.is_file() else "missing"


@cache
def _code_digest() -> str:
    relative = sorted(file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py"))
    return _digest(f"{file}:{_file_digest(PACKAGE / file)}" for file in relative if file.parts[0] not in NEUTRAL_CODE)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
