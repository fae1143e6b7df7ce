"""From a node of a composed config to a checked object, before torch or lightning is imported.

A node with `_target_` is built by the dataclass it names: the fields are the schema, `__post_init__` checks ranges.
"""

from collections.abc import Mapping
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fastadasp.config.meaning import meant_node
from fastadasp.config.messages import elsewhere, suggest
from fastadasp.config.schema import first_line, schema_of
from fastadasp.errors import ConfigError


def build_all(cfg: DictConfig, nodes: Mapping[str, str]) -> dict[str, Any]:
    """By name, the objects that the config nodes `nodes[name]` describe; one ConfigError lists all that is wrong."""
    built: dict[str, Any] = {}
    problems: list[str] = []
    kinds: set[type[ConfigError]] = set()
    for part, key in nodes.items():
        try:
            built[part] = build(cfg[key], key)
        except ConfigError as error:
            problems.append(str(error))
            kinds.add(type(error))
    if not isinstance(cfg.seed, int):
        problems.append(f"seed must be a whole number, got {cfg.seed!r}")
        kinds.add(ConfigError)
    if problems:
        raise (kinds.pop() if len(kinds) == 1 else ConfigError)("\n".join(problems))
    return built


def build(node: DictConfig, key: str) -> Any:
    """The object that `node` describes, an instance of the dataclass that its `_target_` names.

    key: where the node stands in the config, for messages. Raises ConfigError, listing every bad setting.
    """
    if not OmegaConf.is_dict(node):
        raise ConfigError(
            f"{key}={node!s:.80} is no mapping of settings{_file_of(key)}: choose an option ({key}=..., see --help), "
            f"and set single keys as {key}.NAME=..."
        )
    settings = meant_node(cast(dict[str, Any], OmegaConf.to_container(node, resolve=True)))
    if not isinstance(settings.get("_target_"), str):
        raise ConfigError(f"{key} has no `_target_`: it must name the dataclass to build, as conf/{key}/*.yaml do")
    schema = schema_of(settings.pop("_target_"), key).copy()
    OmegaConf.set_readonly(schema, None)
    problems: list[str] = []
    for name, value in settings.items():
        if name not in list(schema):  # `in schema` denies mandatory fields that have no value yet
            problems.append(
                f"{key}.{name} does not exist; {suggest(name, map(str, schema))}{elsewhere(f'{key}.{name}')}"
            )
            continue
        try:
            if isinstance(value, dict) and "_target_" in value:
                value = build(OmegaConf.create(value), f"{key}.{name}")
            schema.merge_with({name: value})  # in place: OmegaConf.merge would copy all fields for each of them
        except ConfigError as error:
            problems.append(f"in {key}.{name}: {error}")
        except OmegaConfBaseException as error:
            problems.append(f"{key}.{name}={value}: {first_line(error)}")
    if problems:
        raise ConfigError("\n".join(problems))
    try:
        return OmegaConf.to_object(schema)  # runs __post_init__
    except MissingMandatoryValue:
        missing = ", ".join(f"{key}.{name}" for name in sorted(OmegaConf.missing_keys(schema)))
        raise ConfigError(f"{missing} must be given: it has no default") from None
    except ValueError as error:
        raise (type(error) if isinstance(error, ConfigError) else ConfigError)(str(error)) from error


def _file_of(key: str) -> str:
    """Where a node comes from, if a file of a group was chosen for it."""
    choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
    return f" (from the file {key}/{choices[key]}.yaml)" if choices.get(key) else ""
