"""Lightning's own DDP over gloo processes that take turns: each batch is answered once, and a death is noticed."""

import os
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy

from fastadasp.evaluation.batches import Plan, plan
from fastadasp.evaluation.strategy import TeamEnvironment, distributed
from fastadasp.evaluation.turns import Meeting, TeamError, Turns
from fastadasp.process.cluster import Launcher, Team
from tests.evaluation.test_turns import EXAMPLES
from tests.helpers.members import told_by


class Taking(LightningModule):
    """Notes the batches that its process takes; the first process is slow."""

    def __init__(self, batches: Plan, meeting: Meeting, dies: bool) -> None:
        super().__init__()
        self.batches, self.meeting, self.dies, self.taken = batches, meeting, dies, list[int]()

    def test_dataloader(self) -> Iterator[int]:
        return iter(Turns(self.batches, self.meeting.take))

    def test_step(self, position: int, _: int) -> None:
        if self.dies:
            os._exit(7)
        self.taken.append(self.batches[position].index)

    def on_test_end(self) -> None:
        self.meeting.end()


def member(team: Team, mischief: bool, pipe: Connection) -> None:
    meeting = Meeting(team, "run")
    try:
        meeting.begin()
        module = Taking(plan([*EXAMPLES] * 10, 1), meeting, mischief and team.rank == 1)
        trainer = Trainer(
            **distributed(meeting, "cpu"), logger=False, enable_checkpointing=False, enable_progress_bar=False
        )
        assert isinstance(trainer.strategy, DDPStrategy)
        trainer.test(module, verbose=False)
        pipe.send((trainer.global_rank, trainer.world_size, module.taken))
    except TeamError as error:
        pipe.send(str(error))


def together(size: int, mischief: bool = False) -> list[Any]:
    return told_by(size, member, mischief)


def test_lightning_is_told_of_the_team_and_starts_nobody() -> None:
    team = Team(Launcher.slurm, size=8, rank=5, local_rank=1, local_size=4, node=1, address="gpu7", port=4711)
    known = TeamEnvironment(team)
    assert (known.world_size(), known.global_rank(), known.local_rank(), known.node_rank()) == (8, 5, 1, 1)
    assert (known.main_address, known.main_port) == ("gpu7", 4711)
    assert known.creates_processes_externally and not TeamEnvironment.detect()
    told = distributed(Meeting(team, "run"), "cpu")
    assert told["num_nodes"] == 2 and told["strategy"].parallel_devices == [torch.device("cpu")] * 4


@pytest.mark.parametrize("size", [pytest.param(2, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.long)])
def test_processes_under_lightnings_ddp_answer_each_batch_once(size: int) -> None:
    told = together(size)
    assert [one[:2] for one in told] == [(rank, size) for rank in range(size)], told
    counted = Counter(index for _, _, taken in told for index in taken)
    assert set(counted) == set(range(90)) and set(counted.values()) == {1}


@pytest.mark.long
def test_a_process_that_dies_under_ddp_is_noticed_by_the_others() -> None:
    first, second = together(2, mischief=True)
    assert second == "died" and "has lost another one of this run" in first
