"""A grid as overrides of one `run.py -m` command, for Hydra's launchers (`hydra/launcher=submitit_slurm`)."""

from pathlib import Path

from fastadasp.config.quoting import hydra_value
from fastadasp.errors import ConfigError
from fastadasp.sweep.file import Method, read_sweep


def overrides(file: Path) -> list[str]:
    """Hydra overrides of a sweep file: the fixed ones of its `command`, then each parameter with all its values.

    Loggers are left to the caller. Raises ConfigError for a file that is no grid of listed values.
    """
    sweep = read_sweep(file)
    if sweep.method is not Method.grid:
        raise ConfigError(f"{file} is not a grid but method: {sweep.method.value}, whose points no launcher of Hydra "
                          "can choose; leave hydra/launcher out, and use --workers")  # fmt: skip
    sweep.grid()
    values = {key: map(hydra_value, one.listed) for key, one in sweep.parameters.items()}
    return [*sweep.settings, *(f"{key}={','.join(listed)}" for key, listed in values.items())]
