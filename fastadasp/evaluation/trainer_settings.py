"""Which of lightning's Trainer arguments `hardware.trainer` may hold, and why not the others."""

from collections.abc import Callable, Mapping
from typing import Any

from fastadasp.config.messages import suggest

STRATEGIES = ("auto", "ddp", "ddp_spawn")
PROFILERS = ("simple", "advanced")


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _devices(value: Any) -> bool:
    indices = isinstance(value, list) and all(isinstance(one, int) and one >= 0 for one in value)
    return _count(value) or value in (None, -1, "auto") or (indices and len(set(value)) == len(value) > 0)


_ALLOWED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "devices": (_devices, "a number of processes from 1 on, a list of GPUs such as [0, 2], or -1 for all GPUs"),
    "num_nodes": (_count, "a number of machines from 1 on"),
    "strategy": (
        lambda value: value in STRATEGIES,
        f"one of {', '.join(STRATEGIES)}: each process answers its own batches",
    ),
    "enable_progress_bar": (lambda value: isinstance(value, bool), "true or false"),
    "profiler": (lambda value: value is None or value in PROFILERS, f"null or one of {', '.join(PROFILERS)}"),
}

_INSTEAD: Mapping[str, str] = {
    "accelerator": "hardware.device sets the device",
    "precision": "hardware.dtype sets the number format of the weights, and nothing is cast besides",
    "logger": "the group logger sets where results are logged",
    "callbacks": "an evaluation calls none",
    "plugins": "an evaluation needs none",
    "default_root_dir": "output_dir sets where results go",
    "deterministic": "answers are the same in every repetition as it is",
    "benchmark": "it could change answers without changing the run's name",
    "inference_mode": "a run never needs gradients",
}

_LEAVES_OUT = ("fast_dev_run", "overfit_batches", "max_time")
"""Settings that would leave examples unanswered, beside `limit_*`."""


def trainer_problems(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the settings in `hardware.trainer`, one sentence each."""
    return [problem for key, value in settings.items() if (problem := _problem(str(key), value)) is not None]


def local_processes(settings: Mapping[str, Any]) -> int | None:
    """Processes on each machine that the settings ask for; None where that is left open (`auto`, -1, or not set)."""
    devices = settings.get("devices")
    if isinstance(devices, list):
        return len(devices)
    return None if devices in (None, -1, "auto") else int(devices)


def _problem(key: str, value: Any) -> str | None:
    if key in _ALLOWED:
        right, allowed = _ALLOWED[key]
        return None if right(value) else f"hardware.trainer.{key} must be {allowed}, got {value!r}"
    if key.startswith("limit_") or key in _LEAVES_OUT:
        reason = "it would leave examples of the run unanswered; task.limit sets how many are answered"
    elif key in _INSTEAD:
        reason = _INSTEAD[key]
    else:
        reason = suggest(key, _ALLOWED)
    return f"hardware.trainer does not take {key}={value}: {reason}"
