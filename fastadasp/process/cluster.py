"""How the processes of a run come about: started by this one, by the tasks of a Slurm step, or by torchrun.

Variables such as RANK say nothing alone: a shell may have them left over, and the tasks of one `srun` may be runs of
their own. What counts is how many processes the run asks for, and whether that many were started together.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from fastadasp.errors import ConfigError

Launcher = Enum("Launcher", ["here", "slurm", "torchrun"])
"""Who starts the processes of a run; `here`: a process that starts the others, or is the only one."""

_INTERACTIVE = ("bash", "interactive")
"""Names of Slurm jobs that are a shell: what is started there is a single process."""


@dataclass(frozen=True)
class Team:
    """The processes that share one run, and which of them this is."""

    launcher: Launcher = Launcher.here
    size: int = 1
    """Processes, all nodes together."""
    rank: int = 0
    local_rank: int = 0
    """Among the processes of this node: the number of its GPU."""
    local_size: int = 1
    """Processes of this node."""
    node: int = 0
    address: str = "127.0.0.1"
    port: int = 0
    """Where process 0 is found."""

    @property
    def leads(self) -> bool:
        """Whether this process scores the run: one of them does."""
        return self.rank == 0

    @property
    def starts_others(self) -> bool:
        """Whether this process is none of the team, but starts and watches it."""
        return self.launcher is Launcher.here and self.size > 1 and self.port == 0


def team(devices: int | None, nodes: int, environment: Mapping[str, str] | None = None) -> tuple[Team, str | None]:
    """The team of a run that asks for `devices` processes on each of `nodes` nodes, and a remark for the user.

    devices: None where the run leaves it open: one, or as many as torchrun has started.
    Raises ConfigError where as many as asked for were not started and cannot be.
    """
    given = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" in given and _number(given, "WORLD_SIZE", 1) > 1:
        return _of_torchrun(devices, nodes, given), None
    tasks = _slurm_tasks(given)
    asked = (devices or 1) * nodes
    if tasks > 1 and asked == 1:
        return Team(), (
            f"This Slurm step has {tasks} tasks (SLURM_NTASKS={tasks}), each of which does its own run here; to share "
            f"one run among them set hardware.trainer.devices and hardware.trainer.num_nodes so that they come to "
            f"{tasks}, else start one task (srun --ntasks=1)"
        )
    if tasks > 1 and asked != tasks:
        raise ConfigError(
            f"this Slurm step has {tasks} tasks, but the run asks for {asked} processes (hardware.trainer.devices="
            f"{devices or 1}, hardware.trainer.num_nodes={nodes}); make the two agree, or start one task "
            "(srun --ntasks=1)"
        )
    if tasks > 1:
        return _of_slurm(tasks, nodes, given), None
    if nodes > 1:
        raise ConfigError(
            f"hardware.trainer.num_nodes={nodes}, but nobody has started processes on {nodes} nodes: that is the "
            "business of Slurm (hardware=slurm_h100x8, or srun) or torchrun; use num_nodes=1 on one machine"
        )
    return Team(size=asked, local_size=asked), None


def _of_torchrun(devices: int | None, nodes: int, given: Mapping[str, str]) -> Team:
    size = _number(given, "WORLD_SIZE", 1)
    if devices is not None and devices * nodes not in (1, size):
        raise ConfigError(
            f"torchrun has started {size} processes, but the run asks for {devices * nodes} (hardware.trainer.devices="
            f"{devices}, hardware.trainer.num_nodes={nodes}); leave both out, or make the two agree"
        )
    return Team(
        launcher=Launcher.torchrun,
        size=size,
        rank=_number(given, "RANK", 0),
        local_rank=_number(given, "LOCAL_RANK", 0),
        local_size=_number(given, "LOCAL_WORLD_SIZE", size),
        node=_number(given, "GROUP_RANK", 0),
        address=given.get("MASTER_ADDR", "127.0.0.1"),
        port=_number(given, "MASTER_PORT", 29500),
    )


def _of_slurm(tasks: int, nodes: int, given: Mapping[str, str]) -> Team:
    job = _number(given, "SLURM_JOB_ID", 0)
    step = _number(given, "SLURM_STEP_ID", 0)
    hosts = given.get("SLURM_STEP_NODELIST") or given.get("SLURM_NODELIST") or "127.0.0.1"
    return Team(
        launcher=Launcher.slurm,
        size=tasks,
        rank=_number(given, "SLURM_PROCID", 0),
        local_rank=_number(given, "SLURM_LOCALID", 0),
        local_size=tasks // nodes,
        node=_number(given, "SLURM_NODEID", 0),
        address=given.get("MASTER_ADDR") or first_host(hosts),
        port=_number(given, "MASTER_PORT", 15000 + (job * 7 + step) % 20000),
    )


def first_host(nodes: str) -> str:
    """The first name of a list as Slurm writes it.

    >>> first_host("gpu[007-009,12],login1")
    'gpu007'
    """
    name, bracket, rest = nodes.partition("[")
    if not bracket or "," in name:
        return nodes.partition(",")[0].partition(" ")[0]
    inside, _, behind = rest.partition("]")
    first = inside.partition(",")[0].partition("-")[0]
    return name + first + behind.partition(",")[0]


def _slurm_tasks(given: Mapping[str, str]) -> int:
    """Tasks of the Slurm step in which this process is; 1 outside Slurm and in a shell of it."""
    if given.get("SLURM_JOB_NAME") in _INTERACTIVE:
        return 1
    return _number(given, "SLURM_STEP_NUM_TASKS", _number(given, "SLURM_NTASKS", 1))


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(given.get(name) or default)
    except ValueError:
        raise ConfigError(f"the environment variable {name} should be a whole number, got {given[name]!r}") from None
