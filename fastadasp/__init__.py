"""Token reduction inside speech language models: FastAdaSP, the methods it competes with, and what they cost.

Names are loaded on first use, so that importing the package costs nothing. The methods are the public classes of the
modules in `fastadasp/merge/`; type checkers read all names in `__init__.pyi`, which `make docs` writes.
"""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

_FACE = {
    "load": "api.loading",
    "SpeechModel": "api.loading",
    "transcribe": "api.asking",
    "ask": "api.asking",
    "Answer": "api.asking",
    "Generation": "models.base",
    "merging": "engine.merging",
    "MergeTrace": "engine.trace",
    "valid_frames": "engine.valid_frames",
    "compose": "config.compose",
    "Assignment": "ops.assignment",
    "MergeMethod": "reduction.method",
    "Positions": "reduction.method",
    "Schedule": "reduction.method",
    "InputMethod": "reduction.input_method",
    "CacheMethod": "reduction.cache_method",
    "InputState": "reduction.state",
    "LayerState": "reduction.state",
}
"""What a user of the library needs beside the methods, and the modules that define it."""


@cache
def _modules() -> dict[str, str]:
    """The module of each public name, found without importing any."""
    methods = {
        name: f"merge.{file.stem}"
        for file in sorted(Path(__file__).with_name("merge").glob("*.py"))
        for name in re.findall(r"^class ([A-Z]\w*)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    return {**methods, **_FACE}


def __getattr__(name: str) -> object:
    if name == "__all__":
        return __dir__()
    if name.startswith("_") or name not in _modules():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_modules()[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_modules())
