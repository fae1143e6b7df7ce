"""Who answers which batch: each process of a run takes the next batch that none has taken."""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, cast

from fastadasp.errors import InputError
from fastadasp.evaluation.batches import Plan
from fastadasp.process.cluster import Launcher, Team
from fastadasp.process.signals import stop_if_told

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup, Store  # type: ignore[attr-defined]

START_S = 1800.0
"""Seconds for which the processes of a run wait for each other before they begin."""

END = timedelta(days=30)
"""How long they wait at the end. One that dies meanwhile is noticed at once, since its connection breaks."""

_POLL_S = 0.1


class TeamError(InputError):
    """The processes of a run have not found each other, or have lost one."""


class Turns:
    """Positions of the batches that this process answers, in the order in which it takes them.

    batches: what is left, as this process knows; another may have answered some of them by now. All processes count
    the batches of the whole run, finished ones included, hence alike.
    take: the index of the next batch that no process has taken.
    """

    def __init__(self, batches: Plan, take: Callable[[], int]) -> None:
        self._batches, self._take = batches, take

    def __iter__(self) -> Iterator[int]:
        while (index := self._take()) < self._batches.total:
            if (position := self._batches.position_of(index)) is not None:
                yield position


class Meeting:
    """How the processes of a run agree on who takes which batch, and wait for each other.

    Where one process has started the others (`Launcher.here`), that one watches them by their process ids too, and has
    prepared the run's folder before; tasks of Slurm and processes of torchrun wait until the first of them has.
    run: the run's name, which tells its messages from those of other runs of the same processes.
    """

    def __init__(self, team: Team, run: str) -> None:
        self.team = team
        self._run = f"{run}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
        self._counter = itertools.count()
        self._store: Store | None = None
        self._group: ProcessGroup | None = None

    def begin(self) -> None:
        """Wait until all processes of the team are there. Raises TeamError where they do not come."""
        if self.team.size == 1:
            return
        from torch.distributed import (  # type: ignore[attr-defined]
            PrefixStore,
            init_process_group,
            new_group,
        )

        try:
            self._store = PrefixStore(self._run, _store(self.team))
            self._store.add("here", 1)
            _until(lambda: self._counted("here") >= self.team.size, START_S)
            init_process_group("gloo", store=self._store, rank=self.team.rank, world_size=self.team.size)
            self._group = cast("ProcessGroup", new_group(timeout=END))
        except (RuntimeError, TimeoutError) as error:
            raise TeamError(
                f"process {self.team.rank} has not found the other {self.team.size - 1} processes of this run at "
                f"{self.team.address}, port {self.team.port} ({_first_line(error)}); start all of them together "
                "(srun, torchrun), or set hardware.trainer.devices=1"
            ) from error

    def tell(self, work: bool, problem: str = "") -> None:
        """Of the leading process: whether there is work for the others, or the problem for which they must end."""
        if self._store is not None:
            self._store.set("begin", json.dumps({"work": work, "problem": problem}))

    def hear(self) -> bool:
        """Of the other processes: wait until the leading one has prepared the run's folder; whether there is work.

        Raises TeamError where that one cannot begin.
        """
        if self._store is None or self.team.launcher is Launcher.here:
            return True
        store = self._store
        try:
            _until(lambda: store.check(["begin"]))
            told = json.loads(store.get("begin"))
        except RuntimeError as error:
            raise self._lost(error) from error
        if told["problem"]:
            raise TeamError(told["problem"])
        return bool(told["work"])

    def take(self) -> int:
        """The index of the next batch that no process has taken."""
        if self._store is None:
            return next(self._counter)
        try:
            return self._store.add("batches taken", 1) - 1
        except RuntimeError as error:
            raise self._lost(error) from error

    def wait(self) -> None:
        """Wait until all processes have come to the same place. Raises TeamError where one has ended before."""
        if self._group is None:
            return
        from torch.distributed import barrier

        try:
            waiting = barrier(group=self._group, async_op=True)
            if waiting is not None:
                _until(waiting.is_completed)
                waiting.wait()
        except RuntimeError as error:
            raise self._lost(error) from error

    def end(self) -> None:
        """Wait until all processes have stored their answers. Raises TeamError where one has ended before."""
        if self._group is None:
            return
        from torch.distributed import destroy_process_group

        try:
            self.wait()
        finally:
            self._group = None
            destroy_process_group()

    def _counted(self, name: str) -> int:
        return 0 if self._store is None else self._store.add(name, 0)

    def _lost(self, error: RuntimeError) -> TeamError:
        return TeamError(
            f"process {self.team.rank} of {self.team.size} has lost another one of this run, which has ended before "
            f"its work was done ({_first_line(error)}); what was answered is kept, and the same command goes on"
        )


@cache  # one for each process, however many runs it does: a port can be opened once only
def _store(team: Team) -> "Store":
    """The store at the team's address; of Slurm's tasks the first one opens it, torchrun has one already."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    of_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    opens = team.rank == 0 and team.launcher is not Launcher.here and not of_agent
    began = time.monotonic()
    while True:
        stop_if_told()
        try:
            store = TCPStore(
                team.address, team.port, is_master=opens, timeout=timedelta(seconds=10), wait_for_workers=False
            )
            break
        except RuntimeError:
            if opens or time.monotonic() - began > START_S:
                raise
    store.set_timeout(timedelta(seconds=START_S))
    return store


def _until(done: Callable[[], bool], seconds: float | None = None) -> None:
    """Wait in short steps, between which signals are heard; TimeoutError after `seconds`."""
    began = time.monotonic()
    while not done():
        stop_if_told()
        if seconds is not None and time.monotonic() - began > seconds:
            raise TimeoutError(f"waited {seconds:.0f} s")
        time.sleep(_POLL_S)


def _first_line(error: BaseException) -> str:
    return str(error).split("\n")[0]
