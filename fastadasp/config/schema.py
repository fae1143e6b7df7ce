"""The dataclass that a node of the config names, as the schema of the node."""

from functools import cache
from typing import cast

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fastadasp.config.own_folders import own_folders
from fastadasp.errors import ConfigError

MOVED = {
    "fastadasp.merge.random.RandomMerge": "fastadasp.merge.random_merge.RandomMerge",
    "fastadasp.merge.random.RandomEvict": "fastadasp.merge.random_evict.RandomEvict",
    "fastadasp.merge.affinity_pooling.DeepAffinityPooling": (
        "fastadasp.merge.affinity_pooling_deep.DeepAffinityPooling"
    ),
}
"""Where the classes stand now that `_target_`s of users and of earlier results name elsewhere."""


def schema_of(target: str, key: str) -> DictConfig:
    """The fields of the class `target` with their types and defaults; ConfigError if it is none, with `key`.

    All callers get the same object, to be read or copied, not changed.
    """
    own_folders()  # a class may lie in a folder of the user's own
    try:
        return _schema(get_class(MOVED.get(target, target)))
    except (ImportError, ValueError, OmegaConfBaseException) as error:
        raise ConfigError(f"{key}._target_={target} cannot be used: {first_line(error)}") from error


@cache
def _schema(described: type) -> DictConfig:
    schema = cast(DictConfig, OmegaConf.structured(described))
    OmegaConf.set_readonly(schema, True)
    return schema


def first_line(error: BaseException) -> str:
    """What an error says, without the lines that OmegaConf adds."""
    return str(error).splitlines()[0]
