"""`metrics.json` as data that others may have written: checked, and nothing imported for it but known tasks."""

import importlib
import pkgutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import fastadasp.tasks
from fastadasp.config.build import build
from fastadasp.data.audio_options import AudioOptions
from fastadasp.errors import ConfigError, InputError
from fastadasp.evaluation.store import RunStore
from fastadasp.files.json_text import JsonError
from fastadasp.files.records import record
from fastadasp.files.text import short, shown
from fastadasp.tasks.base import Task

PARTS = (f"{AudioOptions.__module__}.{AudioOptions.__qualname__}",)
"""Classes that the settings of a task may name inside."""


@dataclass(frozen=True)
class _Amount:
    """What a report reads of the `merge` node."""

    ratio: float | None = None
    layer_ratio: float | None = None
    flops_reduction: float | None = None
    tokens_kept: float | None = None


@dataclass(frozen=True)
class _Config:
    task: Mapping[str, object]
    merge: _Amount


@dataclass(frozen=True)
class _Reduction:
    measured: float | None
    """None where the model is behind a server."""
    ratio: float | None = None


@dataclass(frozen=True)
class _Cost:
    flops_paper_saved: float = 0.0
    kv_bytes_saved: float = 0.0


@dataclass(frozen=True)
class _Metrics:
    """What a report reads of a run; a file may hold more."""

    task: str
    model: str
    merge: str
    objective: str
    fingerprint: str
    failed: int
    quality: Mapping[str, object]
    reduction: _Reduction
    cost: _Cost
    provenance: Mapping[str, object]
    config: _Config


def read_metrics(folder: Path) -> Mapping[str, Any]:
    """The content of a run's `metrics.json`, in which all that a report needs is there and of its type.

    Raises InputError for a folder without one, and for one that no run can have written.
    """
    file = folder / "metrics.json"
    content = RunStore(folder).read(file.name)
    if content is None:
        raise InputError(f"{short(folder)} holds no metrics.json: not a run's folder, or a run that is not finished")
    try:
        checked = record(_Metrics, content, others=True)
        value = checked.quality.get(checked.objective)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise JsonError(f"field {shown(f'quality.{checked.objective}')} must be a number, got {shown(value)}")
    except JsonError as error:
        raise InputError(
            f"{short(file)} is not what a run writes: {error}; leave its folder out of the report, or repeat the run"
        ) from error
    return content


def known_task(node: Mapping[str, Any], trusted: Collection[str] = ()) -> Task:
    """The task that a run's config describes. Its class must be one of `fastadasp.tasks`, or of a module in `trusted`.

    Raises InputError for any other class, which is not imported, and for settings that the class does not take.
    """
    settings = dict(node)
    target = settings.pop("_target_", None)
    kind = _task_class(target, trusted)
    if kind is None:
        raise InputError(
            f"its task is of the class {shown(target)}, which is none of this package; if you trust that code, give "
            "its module as --trust PACKAGE.MODULE"
        )
    if (text := _instruction_to_omegaconf(settings)) is not None:
        raise InputError(f"its task's settings hold {shown(text)}, which a finished run's settings do not")
    try:
        task: Task = build(OmegaConf.create({"_target_": target, **settings}), "task")
    except ConfigError as error:
        raise InputError(f"its task cannot be built as this version knows it: {short(error, 300)}") from error
    return task


def _task_class(target: object, trusted: Collection[str]) -> type[Task] | None:
    module, _, name = target.rpartition(".") if isinstance(target, str) else ("", "", "")
    package = fastadasp.tasks.__name__
    own = {f"{package}.{found.name}" for found in pkgutil.iter_modules(fastadasp.tasks.__path__)}
    if module not in own and module not in trusted and module not in sys.modules:
        return None
    try:
        kind = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise InputError(f"--trust {module}: cannot be imported ({short(error)})") from error
    return kind if isinstance(kind, type) and issubclass(kind, Task) else None


def _instruction_to_omegaconf(value: object) -> str | None:
    """The first text in `value` that would be looked up, or class that would be imported, when a config is built."""
    if isinstance(value, str):
        return value if "${" in value else None
    inner: list[object] = []
    if isinstance(value, Mapping):
        if value.get("_target_", PARTS[0]) not in PARTS:
            return f"_target_: {value['_target_']}"
        inner = [*value, *value.values()]
    elif isinstance(value, list):
        inner = value
    return next((found for part in inner if (found := _instruction_to_omegaconf(part)) is not None), None)
