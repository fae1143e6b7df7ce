"""Errors that a user can mend, as short messages with an exit status instead of a traceback."""

import difflib
import errno
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fastadasp.config import config_files
from fastadasp.config.paths import options
from fastadasp.config.quoting import quoted
from fastadasp.errors import InputError
from fastadasp.process.signals import REQUEUE, requeue, stoppable, told_to_stop
from fastadasp.process.streams import accept_all_signs, give_up_stdout

FULL_ERROR = "HYDRA_FULL_ERROR"
_KEY = re.compile(r"[+~]{0,2}[\w./@:-]+")
LONGEST = 2000
"""Signs of a message: an error may quote a setting of any length."""


_REMEDIES = {
    errno.ENOSPC: "; make room on the disk, and the same command goes on",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS), "; make it accessible, or choose another place (output_dir=...)"
    ),
    errno.EMFILE: "; allow this process more open files (ulimit -n)",
}
"""What can be done about errors of the operating system."""


@contextmanager
def readable_errors() -> Iterator[None]:
    """The frame of every command: what a user can mend is printed as a short message, and signals end it in order.

    Exit status 1 for such a message, 128 + number for a signal (143 for SIGTERM, 130 for Ctrl-C). HYDRA_FULL_ERROR=1
    keeps the traceback. Hydra's own short form names neither the allowed keys nor a likely spelling, and would cut the
    traceback of a genuine bug: so Hydra is told to raise, and its messages are worded here.
    """
    accept_all_signs()
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        with stoppable():
            yield
    except BrokenPipeError:
        give_up_stdout()
        sys.exit(141)  # as a shell reports of a process whose reader has gone
    except KeyboardInterrupt:
        _say("Stopped. What was answered is kept, and the same command goes on from there.")
        sys.exit(130)
    except (Exception, SystemExit) as error:
        if (stop := told_to_stop()) is not None:
            _say(f"Stopped by {stop.signal.name}. What was answered is kept, and the same command goes on from there.")
            if stop.signal is REQUEUE:
                _say(requeue())
            raise stop from None
        if isinstance(error, SystemExit):
            raise
        problem = config_files.problem(error) or (explain(error) if is_expected(error) else None)
        if before == "1" or problem is None:
            raise
        _say(f"{_short(problem)}\n({FULL_ERROR}=1 shows the traceback)")
        sys.exit(1)
    finally:
        os.environ.pop(FULL_ERROR)
        if before is not None:
            os.environ[FULL_ERROR] = before


def is_expected(error: BaseException) -> bool:
    """Whether an error comes from what the program was given or runs on, not from a fault in the program.

    Files, disks and connections fail by an OSError with the number of the operating system's error.
    """
    if isinstance(error, InputError | HydraException | OmegaConfBaseException):
        return True
    return isinstance(error, OSError) and error.errno is not None


def explain(error: BaseException) -> str:
    """One error as a message: what was given, and what is allowed."""
    if (own := _own(error)) is not None:
        return str(own)
    if isinstance(error, OSError) and error.errno is not None:
        place = "" if error.filename is None else f"{error.filename}: "
        return f"{place}{error.strerror}{_REMEDIES.get(error.errno, '')}"
    if isinstance(error, OverrideParseException):
        return _of_override(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}={name} does not exist; {suggest(name, error.options or [])}"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    parent = getattr(cause, "parent_node", None)
    key = getattr(cause, "key", None)
    whole = isinstance(parent, DictConfig) and isinstance(parent._content, dict)  # where YAML is read it is none yet
    if isinstance(parent, DictConfig) and whole and key is not None and key not in parent:
        full = str(getattr(cause, "full_key", key))
        return f"{full} does not exist; {suggest(str(key), map(str, parent))}{elsewhere(full)}"
    known = cause is None or cause is error or str(cause) in str(error)
    return str(error) if known else f"{error}\n{cause}"


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


def elsewhere(key: str) -> str:
    """Which options of its group have a setting such as `task.window_seconds`, as advice; empty where none has."""
    group, _, name = key.partition(".")
    if not name.isidentifier() or not group.isidentifier():
        return ""
    written = re.compile(rf"^ *{name}:", re.MULTILINE)
    found = sorted(option for option, file in options(group).items() if written.search(file.read_text("utf-8")))
    return f" ({group}={'|'.join(found)} has {name})" if found else ""


def _of_override(error: OverrideParseException) -> str:
    """What is wrong with an argument of the command line, and how a text with special signs is written."""
    key, is_setting, text = error.override.partition("=")
    if not is_setting or not key.strip(" +~"):
        return f"{error.override!r} is no setting: write key=value, such as merge.ratio=0.3, or group=option"
    if not _KEY.fullmatch(key.strip()):
        return f"{error.override!r} is no setting: {key!r} holds signs that no key has, such as merge.ratio"
    return (
        f"{error.override!r} cannot be read. A text with signs such as ( ) [ ] {{ }} , : = or quotes is written "
        "between double quotes, and the whole between single ones for the shell:\n"
        f"  {shlex.quote(f'{key}={quoted(text)}')}"
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text)} signs)"


def _say(message: str) -> None:
    print(message, file=sys.stderr)
