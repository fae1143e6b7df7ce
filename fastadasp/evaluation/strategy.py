"""Lightning's DDP over the processes of a run, however they came about."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy

from fastadasp.evaluation.turns import END, Meeting
from fastadasp.process.cluster import Team


class TeamEnvironment(ClusterEnvironment):
    """What lightning wants to know of the processes, as the run's team has it; it starts none itself."""

    def __init__(self, team: Team) -> None:
        super().__init__()
        self._team = team

    @property
    def creates_processes_externally(self) -> bool:
        """They are all there when lightning begins."""
        return True

    @property
    def main_address(self) -> str:
        """Where process 0 is found."""
        return self._team.address

    @property
    def main_port(self) -> int:
        """Where process 0 is found."""
        return self._team.port

    @staticmethod
    def detect() -> bool:
        """Lightning never chooses this environment by itself: variables of the shell may be left over."""
        return False

    def world_size(self) -> int:
        """Processes of all nodes."""
        return self._team.size

    def set_world_size(self, size: int) -> None:
        """Lightning's own count, which is not needed."""

    def global_rank(self) -> int:
        """Number of this process among all."""
        return self._team.rank

    def set_global_rank(self, rank: int) -> None:
        """Lightning's own count, which is not needed."""

    def local_rank(self) -> int:
        """Number of this process on its node."""
        return self._team.local_rank

    def node_rank(self) -> int:
        """Number of the node."""
        return self._team.node


class TeamStrategy(DDPStrategy):
    """DDP whose processes take turns: none of lightning's waits is deaf to signals or to the death of a process."""

    def __init__(self, meeting: Meeting, device: torch.device) -> None:
        """meeting: has begun, so that the process group is there; device: of this process."""
        team = meeting.team
        super().__init__(
            # Lightning looks up its own device by its number on the node; which ones the others use is their business.
            parallel_devices=[device] * team.local_size,
            cluster_environment=TeamEnvironment(team),
            process_group_backend="gloo",  # no tensors are exchanged, only who is there
            timeout=END,
        )
        self._meeting = meeting

    def barrier(self, *_: Any, **__: Any) -> None:
        """Wait for all processes. Raises TeamError where one has ended, Stopped at a signal."""
        self._meeting.wait()


def distributed(meeting: Meeting, device: str) -> Mapping[str, Any]:
    """Arguments of lightning's Trainer for one of several processes. device: torch's name of its device."""
    team = meeting.team
    return {
        "strategy": TeamStrategy(meeting, torch.device(device)),
        "num_nodes": max(1, team.size // team.local_size),
    }
