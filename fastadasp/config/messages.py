"""Errors that a user can mend, as short messages with an exit status instead of a traceback."""

import difflib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fastadasp.config import config_files
from fastadasp.errors import InputError


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
    except Exception as error:
        if (problem := config_files.problem(error)) is None:
            raise
        print(problem, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped. The same command resumes the run where it stands.", file=sys.stderr)
        sys.exit(130)
    finally:
        del os.environ["HYDRA_FULL_ERROR"]


def explain(error: BaseException) -> str:
    """One error as a message: what was given, and what is allowed."""
    if (own := _own(error)) is not None:
        return str(own)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}={name} does not exist; {suggest(name, error.options or [])}"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    parent = getattr(cause, "parent_node", None)
    key = getattr(cause, "key", None)
    whole = isinstance(parent, DictConfig) and isinstance(parent._content, dict)  # where YAML is read it is none yet
    if isinstance(parent, DictConfig) and whole and key is not None and key not in parent:
        return f"{getattr(cause, 'full_key', key)} does not exist; {suggest(str(key), map(str, parent))}"
    return str(error) if cause is None or cause is error else f"{error}\n{cause}"


def _own(error: BaseException | None) -> InputError | None:
    """The error of this program that is behind one of Hydra's or OmegaConf's, which wrap what a resolver raises."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__  # OmegaConf takes the cause away
    return error


def suggest(given: str, allowed: Iterable[str]) -> str:
    """The allowed name that is most like the given one, and all that are allowed."""
    names = sorted(allowed)
    close = difflib.get_close_matches(given, names, n=1)
    return (f"did you mean {close[0]}? " if close else "") + f"Allowed: {', '.join(names)}"
