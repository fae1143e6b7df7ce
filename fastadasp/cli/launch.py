"""Starting a function that Hydra decorates, from arguments instead of from the process's own."""

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from fastadasp.config.agent import from_agent
from fastadasp.config.compose import lenient
from fastadasp.config.messages import is_expected, readable_errors, suggest
from fastadasp.config.paths import options
from fastadasp.errors import ConfigError
from fastadasp.models.served.secrets import problem


class CommandLineError(ConfigError):
    """Hydra cannot do what the command line asks for."""


def launch(decorated: Callable[[], Any], arguments: Sequence[str]) -> None:
    """Call a function decorated by `hydra.main` on `arguments`; errors of the user become short messages."""
    with readable_errors():
        settings = from_agent(arguments)
        _check(settings)
        sys.argv = [sys.argv[0], *map(lenient, settings)]
        try:
            decorated()
        except Exception as error:
            if is_expected(error) or _of_a_job(error):
                raise
            raise CommandLineError(_worded(error)) from error


def _of_a_job(error: Exception) -> bool:
    """Whether an error comes from the decorated function, not from what Hydra does before.

    Before, nothing but the command line can be at fault. Hydra keeps a job's error and raises it when the job's value
    is asked for.
    """
    return any(frame.name == "return_value" for frame in traceback.extract_tb(error.__traceback__))


def _worded(error: Exception) -> str:
    name = type(error).__name__
    if name in ("TerminatedWorkerError", "BrokenProcessPool"):
        return (
            "a process of hydra/launcher=joblib was ended from outside, as the system does when memory runs out; what "
            "was answered is kept, and the same command goes on. With fewer jobs at once (hydra.launcher.n_jobs) it "
            "needs less"
        )
    return f"Hydra cannot run this command line: {name}: {str(error).strip()}"


_STACKED = ("experiments", "logger")
"""Groups of which several options make sense together."""


def _check(arguments: Sequence[str]) -> None:
    for argument in arguments:
        if argument.startswith("--exp"):
            raise CommandLineError(
                "--experimental-rerun reads a pickled configuration, which could run any code; give the settings "
                "themselves: a run's folder has them in .hydra/overrides.yaml"
            )
        key, is_setting, value = argument.partition("=")
        name = key.strip(" +~").partition("@")[0]
        if secret := problem(key.strip(" +"), value):  # before Hydra repeats the command line in its own message
            raise CommandLineError(secret)
        if not name:
            raise CommandLineError(f"{argument!r} has no key: write key=value, as merge.ratio=0.3, or group=option")
        if is_setting and _is_no_option(value) and (allowed := options(name)):
            raise CommandLineError(f"{argument}: {name} takes one of its options; {suggest(value, allowed)}")
        if is_setting and value.lstrip().startswith("[") and name not in _STACKED and options(name):
            raise CommandLineError(
                f"{argument}: {name} takes one of its options, and no list; -m {name}=A,B runs one job for each"
            )


def _is_no_option(value: str) -> bool:
    """Whether Hydra takes a value for something else than a name."""
    try:
        float(value)
    except ValueError:
        return value.lower() in ("null", "true", "false")
    return True
