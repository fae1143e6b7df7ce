"""Where a method acts, by which tables and pictures tell methods apart."""

from importlib import import_module
from pkgutil import iter_modules

import fastadasp.merge
from fastadasp.reduction.composite import Composite
from fastadasp.reduction.method import MergeMethod

FAMILIES = {
    "decoder": "inside the decoder",
    "input": "before the decoder",
    "cache": "in the cache",
    "several": "at several sites",
    "unknown": "of unknown kind",
}
"""Names as they stand in results, with words for them."""


def family(target: object) -> str:
    """One of FAMILIES for the class that a run's `merge._target_` names.

    Only modules of `fastadasp.merge` are imported; a class of others is `unknown`, since results of others are data.
    """
    package = fastadasp.merge.__name__
    module, _, name = target.rpartition(".") if isinstance(target, str) else ("", "", "")
    if module not in {f"{package}.{found.name}" for found in iter_modules(fastadasp.merge.__path__)}:
        return "unknown"
    kind = getattr(import_module(module), name, None)
    if not isinstance(kind, type) or not issubclass(kind, MergeMethod):
        return "unknown"
    return "several" if issubclass(kind, Composite) else str(kind.site.name)
