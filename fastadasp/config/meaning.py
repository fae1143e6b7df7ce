"""Settings as they are meant: Python's spellings, which agents of W&B write, and numbers in their field's own type.

An agent prints the values of a sweep as Python does: `merge.threshold=None`, `merge.layer=2.0`. Hydra reads the first
as a text and the second as a number that no whole-numbered field takes. What a value means follows from its field.
"""

from collections.abc import Collection
from enum import Enum
from typing import Any, cast

from omegaconf import DictConfig, Node, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fastadasp.config.schema import schema_of
from fastadasp.errors import ConfigError

NONE = "None"


def as_meant(cfg: DictConfig, apart: Collection[str] = ("hydra", "selection")) -> DictConfig:
    """`cfg`, in which every value of a typed node has its field's own type wherever its meaning is plain.

    apart: nodes that are left alone; `selection` is one, since a run does not import the class of it.
    The same object is returned where nothing has to be changed, and a copy otherwise.
    """
    written = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False))
    meant = {key: meant_node(node) for key, node in written.items() if isinstance(node, dict) and key not in apart}
    changes = {
        (key, name): value
        for key, node in meant.items()
        for name, value in node.items()
        if repr(value) != repr(written[key][name])
    }
    seed = _spelled(written.get("seed"))
    if not changes and repr(seed) == repr(written.get("seed")):
        return cfg
    copy = cfg.copy()
    with open_dict(copy):
        for (key, name), value in changes.items():
            copy[key][name] = value
        copy.seed = seed
    return copy


def meant_node(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of one node as the class in its `_target_` means them.

    `None` becomes null where a field may be null, a whole number that arrives as 2.0 becomes 2 where whole numbers are
    wanted, and 1 becomes 1.0 where any number is. What fits no field stays, for `build` to refuse.
    """
    target = settings.get("_target_")
    if not isinstance(target, str):
        return settings
    try:
        schema = schema_of(target, "")
    except ConfigError:
        return settings
    return {str(name): _meant(schema, str(name), value) for name, value in settings.items()}


def _meant(schema: DictConfig, name: str, value: Any) -> Any:
    if isinstance(value, dict) and "_target_" in value:
        return meant_node(value)
    if name not in list(schema) or "${" in str(value):
        return value
    field = schema._get_node(name)
    if value == NONE and field is not None and field._is_optional():
        return None
    if value is None or _has_type_of(field, value):
        return value
    if isinstance(value, dict):  # of any content: OmegaConf would keep what it is given
        return _spelled(value)
    for given in (value, _spelled(value)):
        try:
            merged = OmegaConf.merge(schema, {name: given})
        except OmegaConfBaseException:
            continue
        typed = cast(dict[str, Any], OmegaConf.to_container(merged))[name]
        return typed if isinstance(typed, int | float | list) and not isinstance(typed, Enum) else value
    return value


def _has_type_of(field: Any, value: Any) -> bool:
    """Whether a value is of its field's own type already, or the name of an Enum's member, which `build` looks up.

    Most values are: to know it saves a copy of the whole schema for each of them, half of the time of composing.
    """
    wanted = field._metadata.ref_type if isinstance(field, Node) else None
    if not isinstance(wanted, type):
        return False
    return (wanted in (bool, int, float, str) and type(value) is wanted) or (
        issubclass(wanted, Enum) and isinstance(value, str)
    )


def _spelled(value: Any) -> Any:
    """Python's None as null, and whole numbers as such, also within lists and mappings."""
    if isinstance(value, dict):
        return {key: _spelled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_spelled(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value == NONE else value
