"""The name of a run: a hash of everything that can change its predictions."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fastadasp.config.content import digests
from fastadasp.config.meaning import as_meant
from fastadasp.config.paths import REPOSITORY
from fastadasp.config.source_code import source_files
from fastadasp.errors import ConfigError
from fastadasp.files.named import audio_files, is_file
from fastadasp.files.text import home

IRRELEVANT = frozenset(
    {
        "hydra",
        "output_dir",
        "logger",
        "logged",
        "experiments",
        "data",  # counts by the manifest that is made of it
        "hardware.num_workers",
        "hardware.threads",
        "hardware.trainer",
        "hardware.peak_flops",
        "hardware.bandwidth",
        "task.cluster",
        "model.api_key_env",  # this and what follows: how a server is asked
        "model.stream",
        "model.concurrency",
        "model.timeout_s",
        "model.attempts",
        "model.longest_wait_s",
        "model.requests_per_minute",
        "model.tokens_per_minute",
        "model.stop_after",
    }
)
"""Keys that cannot change a prediction: where results go, and how fast they come."""

SERVED = "fastadasp.models.served.adapter.ServedModel"
"""The class of a model that computes on a server, whatever the hardware here."""

ASKING = "fastadasp.evaluation.served"
"""The module that turns examples into the answers of a server."""

FILES_IN = ("merge.", "model.", "selection.", "task.")
"""Where settings may name files whose content counts."""

AUTO = "auto"
"""What `merge.layer` may be besides a number: the layer that `fastadasp.selection` has chosen."""

ANSWERING = ("fastadasp.evaluation.trainer",)
"""The module that turns examples into answers, whatever the settings; this file must not import it (torch)."""

CHOOSING = "fastadasp.selection.scores"
"""The module that chooses the layer for which `merge.layer=auto` stands."""

READ_EACH_TIME = 64 * 2**20
"""Bytes up to which a file is read for every fingerprint. The digest of a larger one (weights) is kept from run to run,
and the file is read again once its size, times or inode have changed."""


MOST_FILES = 5000
"""Files and folders in a folder that a setting names."""


def run_folder(cfg: DictConfig) -> str:
    """`<task>/<model>/<merge>/<fingerprint>`: the folder of a run, the same whenever the same is asked for."""
    choices = cfg.hydra.runtime.choices
    return f"{choices.task}/{choices.model}/{choices.merge}/{fingerprint(cfg)}"


def fingerprint(cfg: DictConfig) -> str:
    """12 hex digits that are equal for two configs if and only if their predictions may share a folder.

    Covers all settings but IRRELEVANT ones, the content of every file or folder that task, model and merge name (the
    audio files of a manifest included), and the code of the classes that it names.
    """
    chosen = OmegaConf.select(cfg, "merge.layer") == AUTO
    unused = IRRELEVANT if chosen else IRRELEVANT | {"selection"}
    needed = (unused - {"data", "output_dir"}) if OmegaConf.select(cfg, "data") is not None else unused
    bare = as_meant(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in needed]), apart=())
    flat = _flatten(OmegaConf.to_container(bare, resolve=True))
    settings = {key: value for key, value in flat if key not in IRRELEVANT}
    targets = tuple(str(value) for key, value in settings.items() if key.endswith("._target_"))
    if settings.get("model._target_") == SERVED:
        settings = {key: value for key, value in settings.items() if not key.startswith("hardware.")}
        targets += (f"{ASKING}.ask_left",)
    if chosen:
        targets += (f"{CHOOSING}.score",)
    # Paths inside the repository are written relative to it: a clone elsewhere gives the same name.
    described = json.dumps([settings, contents(settings), _code_digest(targets)], sort_keys=True, default=str)
    return hashlib.sha256(described.replace(f"{REPOSITORY}{os.sep}", "").encode()).hexdigest()[:12]


IN_THE_CHECKPOINT = ("model.adapter", ".")
"""LoRA weights in the folder of `model.path`, whose content counts anyway, and no path of their own."""


def contents(settings: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files and folders that settings of FILES_IN name, by their dotted keys."""
    named = (
        (key, home(Path(value)))
        for key, value in settings.items()
        if isinstance(value, str) and (key, value) != IN_THE_CHECKPOINT
    )
    # os.path takes any text, where Path raises on a long instruction. Pipes and devices have no content to read.
    return {
        key: _path_digest(path)
        for key, path in named
        if key.startswith(FILES_IN) and (is_file(path) or os.path.isdir(path))  # noqa: PTH112
    }


def _flatten(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and name not in IRRELEVANT:
            yield from _flatten(value, f"{name}.")
        else:
            yield name, value


def _path_digest(path: Path) -> str:
    if path.is_dir():
        files = sorted(file for file in _inside(path) if is_file(file) and file.suffix != ".md")
        held = zip(files, _file_digests(files), strict=True)
        return _digest(f"{file.relative_to(path)}:{value}" for file, value in held)
    if path.suffix == ".jsonl":
        return _digest([*_file_digests([path]), *digests(dict.fromkeys(audio_files(path)))])
    return _file_digests([path])[0]


def _inside(folder: Path) -> Iterator[Path]:
    """What lies in a folder and below it. Raises ConfigError for more than a checkpoint can hold, such as a home."""
    for number, path in enumerate(folder.rglob("*")):
        if number == MOST_FILES:
            raise ConfigError(
                f"{folder}, which a setting of the run names, holds more than {MOST_FILES} files, whose content would "
                "all be part of the run's name; name the folder of a checkpoint, or word a text so that it is no folder"
            )
        yield path


def _file_digests(files: Sequence[Path]) -> list[str]:
    """SHA-256 of each file's content; large files, such as the shards of a checkpoint, are read side by side."""
    large = [file for file in files if file.stat().st_size > READ_EACH_TIME]
    known = dict(zip(large, digests(large), strict=True))
    return [known.get(file) or _file_digest(file) for file in files]


def _file_digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@cache  # the code of a process is what it was at the start, whatever is edited meanwhile
def _code_digest(targets: tuple[str, ...]) -> str:
    """Of the modules that define `targets` (dotted class names) and answer batches, and of all that these import.

    So an edited method starts new runs instead of reading old answers, while a new one leaves all others' runs valid.
    """
    files = source_files(ANSWERING) | source_files(
        (target.rpartition(".")[0] for target in targets), others_may_lack=True
    )
    return _digest(f"{module}:{_file_digest(files[module])}" for module in sorted(files))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
