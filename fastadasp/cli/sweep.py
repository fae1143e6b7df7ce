"""Run the grid of a W&B sweep file here, without W&B: `fastadasp sweep sweeps/asr.yaml task.limit=16`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fastadasp.cli.run import main as run
from fastadasp.config.messages import readable_errors
from fastadasp.errors import ConfigError


def main(arguments: Sequence[str]) -> None:
    """Run the grid; the exit status is that of `fastadasp run -m`."""
    parser = argparse.ArgumentParser(prog="fastadasp sweep", description="Run a W&B sweep file without W&B.")
    parser.add_argument("file", type=Path, help="a sweep file, such as sweeps/asr.yaml")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides for all runs, such as task.limit=16")
    given, options = parser.parse_known_intermixed_args(arguments)
    with readable_errors():
        from fastadasp.sweep.local import overrides

        if not given.file.is_file():
            raise ConfigError(f"{given.file} is no file; name a sweep file such as sweeps/asr.yaml")
        command = ["-m", *overrides(given.file), *given.overrides, *options]
    run(command)  # in this process, which a signal to end is meant for
