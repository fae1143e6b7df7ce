"""Where a result comes from: code, libraries, machine."""

import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import torch

from fastadasp.config.paths import REPOSITORY

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


class Placement(Protocol):
    """What has been settled about the device of a run: `evaluation.hardware.Placement`."""

    @property
    def accelerator(self) -> str:
        """lightning's name of the device: cpu | cuda | mps."""

    @property
    def dtype(self) -> str:
        """Number format of the weights."""

    @property
    def attention(self) -> str:
        """Attention kernel."""


def provenance(placement: Placement) -> dict[str, Any]:
    """Commit, versions and device; nothing in it changes when the same command is repeated on the same machine."""
    on_gpu = placement.accelerator == "cuda"
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "fastadasp": _version("fastadasp") or "not installed",
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "device": torch.cuda.get_device_name() if on_gpu else cpu_name(),
        "devices": torch.cuda.device_count() if on_gpu else 1,
        "dtype": placement.dtype,
        "attention": placement.attention,
    }


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model."""
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Output of a git command in the repository; None where there is no git, or the package stands outside its own.

    A checkout that belongs to another user (a container's mount) is read too, without what its config would run.
    """
    if not (REPOSITORY / ".git").exists():  # else git would answer for a repository around the installed package
        return None
    settings = ("-c", f"safe.directory={REPOSITORY}", "-c", "core.fsmonitor=false")
    try:
        done = subprocess.run(
            ["git", *settings, "-C", REPOSITORY, *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
