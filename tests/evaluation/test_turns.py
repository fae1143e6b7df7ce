"""Each batch is answered by one process, whichever is free, and nobody waits for one that has gone."""

import os
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from fastadasp.evaluation import turns
from fastadasp.evaluation.batches import plan
from fastadasp.evaluation.turns import Meeting, TeamError, Turns
from fastadasp.process.cluster import Launcher, Team
from fastadasp.tasks.base import Example
from tests.helpers.members import free_port, told_by

EXAMPLES = [
    Example(id=str(number), audio=(Path("x.wav"),), instruction="", reference="", seconds=1.0) for number in range(9)
]


def test_one_process_takes_all_that_is_left_in_order() -> None:
    batches = plan(EXAMPLES, 2, done={"2", "3", "8"})
    meeting = Meeting(Team(), "run")
    meeting.begin()
    taken = [batches[position].index for position in Turns(batches, meeting.take)]
    assert taken == [0, 2, 3]
    meeting.tell(work=True)
    assert meeting.hear() is True
    meeting.end()


def member(team: Team, batches: list[Any], mischief: str, pipe: Connection) -> None:
    """A process of a team, which tells what it took."""
    meeting = Meeting(team, "run")
    try:
        meeting.begin()
        if team.leads:
            meeting.tell(work=True, problem="the folder is another run's" if mischief == "problem" else "")
        else:
            assert meeting.hear()
        if mischief == "dies" and team.rank == 1:
            os._exit(7)
        taken = [batches[position].index for position in Turns(batches, meeting.take)]
        meeting.end()
        pipe.send(taken)
    except TeamError as error:
        pipe.send(str(error))


def together(size: int, mischief: str = "") -> list[Any]:
    return told_by(size, member, plan([*EXAMPLES] * 20, 1), mischief)


@pytest.mark.slow
def test_processes_of_slurm_take_each_batch_once() -> None:
    taken = together(3)
    assert all(isinstance(one, list) for one in taken), taken
    counted = Counter(index for one in taken for index in one)
    assert set(counted) == set(range(180)) and set(counted.values()) == {1}


@pytest.mark.slow
def test_a_process_that_dies_is_noticed_by_the_one_that_waits_for_it() -> None:
    first, second = together(2, "dies")
    assert second == "died"
    assert "has lost another one of this run" in first


@pytest.mark.slow
def test_the_others_end_with_the_problem_of_the_first() -> None:
    assert together(2, "problem")[1] == "the folder is another run's"


def test_processes_that_nobody_starts_are_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "START_S", 0.3)
    team = Team(Launcher.slurm, size=2, rank=0, local_size=2, port=free_port())
    with pytest.raises(TeamError, match=r"process 0 has not found the other 1 processes.*start all of them together"):
        Meeting(team, "run").begin()
