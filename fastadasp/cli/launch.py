"""Starting a function that Hydra decorates, from arguments instead of from the process's own."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import fastadasp.config.compose  # noqa: F401  # registers the resolvers that the configuration uses
from fastadasp.config.messages import readable_errors


def launch(decorated: Callable[[], Any], arguments: Sequence[str]) -> None:
    """Call a function decorated by `hydra.main` on `arguments`; errors of the user become short messages."""
    sys.argv = [sys.argv[0], *arguments]
    with readable_errors():
        decorated()
