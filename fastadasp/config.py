"""From a composed Hydra config to checked objects, before torch or lightning is imported.

A node with `_target_` is built by the dataclass it names: the fields are the schema, `__post_init__` checks ranges.
"""

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from hydra.errors import HydraException, MissingConfigException
from hydra.utils import get_class
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fastadasp.errors import ConfigError, InputError
from fastadasp.fingerprint import REPOSITORY, fingerprint, run_folder
from fastadasp.selection.chosen import selection_folder, with_chosen_layer

if TYPE_CHECKING:
    from fastadasp.benchmark.base import Benchmark
    from fastadasp.evaluation.hardware import Hardware
    from fastadasp.merge.base import MergeMethod
    from fastadasp.models.base import Generation, ModelAdapter
    from fastadasp.tasks.base import Example, Task

OmegaConf.register_new_resolver("repository", lambda: str(REPOSITORY), replace=True)
OmegaConf.register_new_resolver("run_folder", lambda *, _root_: run_folder(_root_), replace=True)
OmegaConf.register_new_resolver("selection_folder", lambda *, _root_: str(selection_folder(_root_)), replace=True)
OmegaConf.register_new_resolver("fingerprint", lambda *, _root_: fingerprint(_root_), replace=True)


@dataclass(frozen=True)
class Setup:
    """The parts of one run, built and checked; no weights are loaded yet."""

    task: "Task"
    examples: "Sequence[Example]"
    """Of the task, as its manifest has them."""
    adapter: "ModelAdapter"
    method: "MergeMethod"
    hardware: "Hardware"
    generation: "Generation"


def validate(cfg: DictConfig) -> Setup:
    """Build every typed node of a run's config and read the task's manifest.

    Raises one ConfigError that lists all that is wrong with all nodes, or the manifest's own error.
    """
    nodes = {"task": "task", "adapter": "model", "method": "merge", "hardware": "hardware", "generation": "generation"}
    built = _build_all(with_chosen_layer(cfg), nodes)
    return Setup(**built, examples=built["task"].examples())


def validate_benchmark(cfg: DictConfig) -> tuple["Benchmark", "Hardware"]:
    """What the `benchmark` node of an overlay in experiments/ asks for, and on what; ConfigError as in `validate`."""
    built = _build_all(cfg, {"benchmark": "benchmark", "hardware": "hardware"})
    return built["benchmark"], built["hardware"]


def _build_all(cfg: DictConfig, nodes: Mapping[str, str]) -> dict[str, Any]:
    """By name, what the config nodes `nodes[name]` describe."""
    built: dict[str, Any] = {}
    problems: list[str] = []
    for part, key in nodes.items():
        try:
            built[part] = build(cfg[key], key)
        except ConfigError as error:
            problems.append(str(error))
    if not isinstance(cfg.seed, int):
        problems.append(f"seed must be a whole number, got {cfg.seed!r}")
    if problems:
        raise ConfigError("\n".join(problems))
    return built


def build(node: DictConfig, key: str) -> Any:
    """The object that `node` describes, an instance of the dataclass that its `_target_` names.

    key: where the node stands in the config, for messages. Raises ConfigError, listing every bad setting.
    """
    settings = cast(dict[str, Any], OmegaConf.to_container(node, resolve=True))
    if "_target_" not in settings:
        raise ConfigError(f"{key} has no `_target_`: it must name the dataclass to build, as conf/{key}/*.yaml do")
    schema = _schema(settings.pop("_target_"), key)
    problems: list[str] = []
    for name, value in settings.items():
        if name not in list(schema):  # `in schema` denies mandatory fields that have no value yet
            problems.append(f"{key}.{name} does not exist; {_suggest(name, map(str, schema))}")
            continue
        try:
            if isinstance(value, dict) and "_target_" in value:
                value = build(OmegaConf.create(value), f"{key}.{name}")
            schema = cast(DictConfig, OmegaConf.merge(schema, {name: value}))
        except ConfigError as error:
            problems.append(f"in {key}.{name}: {error}")
        except OmegaConfBaseException as error:
            problems.append(f"{key}.{name}={value}: {_first_line(error)}")
    if problems:
        raise ConfigError("\n".join(problems))
    try:
        return OmegaConf.to_object(schema)  # runs __post_init__
    except MissingMandatoryValue:
        missing = ", ".join(f"{key}.{name}" for name in sorted(OmegaConf.missing_keys(schema)))
        raise ConfigError(f"{missing} must be given: it has no default") from None
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _schema(target: str, key: str) -> DictConfig:
    try:
        return cast(DictConfig, OmegaConf.structured(get_class(target)))
    except (ImportError, ValueError, OmegaConfBaseException) as error:
        raise ConfigError(f"{key}._target_={target} cannot be used: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]


def _suggest(given: str, allowed: Iterable[str]) -> str:
    names = sorted(allowed)
    close = difflib.get_close_matches(given, names, n=1)
    return (f"did you mean {close[0]}? " if close else "") + f"Allowed: {', '.join(names)}"


@contextmanager
def readable_errors() -> Iterator[None]:
    """Print what a user can mend as a short message and exit with 1; HYDRA_FULL_ERROR=1 keeps the traceback.

    Hydra's own short form names neither the allowed keys nor a likely spelling, and would cut the traceback of a
    genuine bug: so Hydra is told to raise, and its messages are worded here.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        yield
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except (InputError, HydraException, OmegaConfBaseException) as error:
        print(f"{explain(error)}\n(HYDRA_FULL_ERROR=1 shows the traceback)", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped. The same command resumes the run where it stands.", file=sys.stderr)
        sys.exit(130)


def explain(error: BaseException) -> str:
    """One error as a message: what was given, and what is allowed."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}={name} does not exist; {_suggest(name, error.options or [])}"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    parent = getattr(cause, "parent_node", None)
    key = getattr(cause, "key", None)
    if isinstance(parent, DictConfig) and key is not None and key not in parent:
        return f"{getattr(cause, 'full_key', key)} does not exist; {_suggest(str(key), map(str, parent))}"
    return str(error) if cause is None or cause is error else f"{error}\n{cause}"
