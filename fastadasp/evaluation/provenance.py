"""Where a result comes from: code, libraries, machine."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from fastadasp.evaluation.hardware import Placement
from fastadasp.fingerprint import REPOSITORY

LIBRARIES = (
    "torch",
    "transformers",
    "lightning",
    "numpy",
    "soundfile",
    "soxr",
    "jiwer",
    "sacrebleu",
    "whisper-normalizer",
)


def provenance(placement: Placement) -> dict[str, Any]:
    """Commit, versions and device; nothing in it changes when the same command is repeated on the same machine."""
    on_gpu = placement.accelerator == "cuda"
    return {
        "fastadasp": version("fastadasp"),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "device": torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine(),
        "devices": torch.cuda.device_count() if on_gpu else 1,
        "dtype": placement.dtype,
        "attention": placement.attention,
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Output of a git command in the repository; None where the package was installed without one."""
    try:
        done = subprocess.run(["git", "-C", REPOSITORY, *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
